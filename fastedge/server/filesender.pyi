import asyncio
from collections.abc import Callable
from typing import Any, final

@final
class FileSender:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: Any,
        socket: int,
        /,
        *,
        on_progress: Callable[[], None],
        on_done: Callable[[bool], None],
    ) -> None: ...
