from typing import final

from fastedge.server.asking import Asking

@final
class Gathering: ...

@final
class Subrequest(Asking):
    def on_timeout(self, kind: int, /) -> None: ...
