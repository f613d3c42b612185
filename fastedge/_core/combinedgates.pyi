from collections.abc import Iterable
from typing import final

from fastedge._core.gate import Gate

class CombinedGate(Gate):
    def __init__(self, stage: str, gates: Iterable[Gate]) -> None: ...

@final
class AnyGate(CombinedGate): ...

@final
class AllGate(CombinedGate): ...
