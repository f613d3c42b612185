from typing import final

@final
class ReadyHits: ...
