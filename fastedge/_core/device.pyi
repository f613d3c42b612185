from collections.abc import Sequence
from typing import Literal

from fastedge._core.message import Request

Class = Literal["bot", "mobile", "tablet", "desktop"]

MARKS: Sequence[tuple[str, Class]]
DEVICES: Sequence[Class]

def device_class(request: Request) -> Class: ...
