from typing import final

@final
class HeadWriter: ...
