from typing import NamedTuple

from fastedge._core.diskindex import DiskIndex

class Found(NamedTuple):
    records: int
    surplus: list[str]
    others: list[str]

def scan_folder(path: bytes, index: DiskIndex, /) -> Found: ...
