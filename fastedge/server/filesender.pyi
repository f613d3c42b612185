from collections.abc import Callable
from typing import Any, final

from fastedge.disk.body import DiskBody

@final
class FileSender:
    def __init__(
        self,
        transport: Any,
        head: bytes,
        body: DiskBody,
        offset: int,
        count: int,
        *,
        on_progress: Callable[[], None],
        on_done: Callable[[bool], None],
    ) -> None: ...
