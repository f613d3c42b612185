from collections.abc import Iterable
from typing import final

from fastedge._core.gate import Gate

@final
class AnyGate(Gate):
    def __init__(self, stage: str, gates: Iterable[Gate]) -> None: ...

@final
class AllGate(Gate):
    def __init__(self, stage: str, gates: Iterable[Gate]) -> None: ...
