from fastedge._core.fields import Fields

def origin_fields(
    fields: Fields, peer: bytes, peer_trusted: bool, authority: bytes, secure: bool
) -> tuple[bytes | None, bytes]: ...
