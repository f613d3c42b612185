from collections.abc import Callable
from typing import final

from fastedge.disk.body import DiskBody

@final
class FileReader:
    def __init__(self, body: DiskBody, on_done: Callable[[bytes | None], None], /) -> None: ...
