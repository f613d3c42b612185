from typing import final

@final
class Collected:
    objection: str | None
    pieces: list[bytes]
