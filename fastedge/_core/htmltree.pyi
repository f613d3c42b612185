from typing import final

@final
class OpenElements: ...
