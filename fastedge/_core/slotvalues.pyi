from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from fastedge._core.message import Context, Request
from fastedge._core.stitch import Fragment

_Constant = str | bytes | Fragment

class ValueSource:
    differs_by: tuple[bytes, ...]
    def find(self, request: Request, ctx: Context) -> _Constant | None: ...

class UrlSource(ValueSource):
    wait_ms: int
    def locate(self, request: Request, ctx: Context, alternative: bool = False) -> bytes | None: ...

@final
class ClaimValue(ValueSource):
    def __init__(self, name: str, mapping: Mapping[str, _Constant] | None = None) -> None: ...

@final
class CookieValue(ValueSource):
    def __init__(self, name: str, mapping: Mapping[str, _Constant] | None = None, *, bytes_max: int = 0) -> None: ...

@final
class GeoValue(ValueSource):
    def __init__(self, fact: str, mapping: Mapping[str, _Constant] | None = None) -> None: ...

@final
class VariantValue(ValueSource):
    def __init__(self, experiment: str, mapping: Mapping[str, _Constant] | None = None) -> None: ...

@final
class FragmentsValue(ValueSource):
    def __init__(self, table: Mapping[str, Fragment], by: ValueSource) -> None: ...

@final
class CallValue(ValueSource):
    def __init__(self, function: Callable[[Request, Context], Any], slot: str) -> None: ...

@final
class UrlValue(UrlSource):
    def __init__(self, parts: Iterable[bytes | ValueSource], wait_ms: int = 0) -> None: ...

@final
class EsiVariable(ValueSource):
    default: bytes
    def __init__(self, name: str, key: str = "", default: str = "") -> None: ...

@final
class EsiInclude(UrlSource):
    def __init__(
        self, src: Iterable[str | ValueSource], alt: Iterable[str | ValueSource], wait_ms: int = 0
    ) -> None: ...

def constant(value: _Constant) -> bytes | Fragment: ...
