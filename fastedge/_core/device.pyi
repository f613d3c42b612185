from collections.abc import Sequence
from typing import Literal

from fastedge._core.message import Request

MARKS: Sequence[tuple[str, str]]
DEVICES: Sequence[str]

def device_class(request: Request) -> Literal["bot", "mobile", "tablet", "desktop"]: ...
