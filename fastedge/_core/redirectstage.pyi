from typing import final

from fastedge._core.pipeline import NativeStage
from fastedge._core.redirecttable import RedirectTable

@final
class RedirectStage(NativeStage):
    def __init__(self, table: RedirectTable, cache_control: str | None = None) -> None: ...
