from typing import final

EVERY_FIELD: str

@final
class Reads: ...
