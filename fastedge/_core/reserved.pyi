from collections.abc import Iterable
from typing import final

@final
class Reserved:
    def __init__(self, fields: Iterable[str], parameters: Iterable[str]) -> None: ...
