from typing import final

@final
class Reads: ...
