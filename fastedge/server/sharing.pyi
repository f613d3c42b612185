from typing import final

@final
class Unshared: ...
