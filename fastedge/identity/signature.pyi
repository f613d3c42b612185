from typing import Any, final

class Check:
    def __call__(self, signing_input: bytes, signature: bytes, /) -> bool: ...

@final
class HmacCheck(Check):
    def __init__(self, secret: bytes, /, hash_name: str) -> None: ...

@final
class RsaCheck(Check):
    def __init__(self, key: Any, /, padding: Any, hash: Any) -> None: ...

@final
class EcdsaCheck(Check):
    def __init__(self, key: Any, /, hash: Any) -> None: ...

@final
class EddsaCheck(Check):
    def __init__(self, key: Any, /) -> None: ...

def raw_to_der(signature: bytes, /) -> bytes | None: ...
