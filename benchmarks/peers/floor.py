"""The floor, and the same program as the origin behind every edge."""

from benchmarks import tools
from benchmarks.peers import Peer, Setting
from benchmarks.process import HOST, Command
from benchmarks.traffic import BODY_BYTES


def floor(body_bytes: int = BODY_BYTES, cache_control: str = "no-store") -> Peer:
    """The floor with a page of that size. With no-store all requests go all the way, whoever stands in front."""
    fields = (f"Cache-Control: {cache_control}", "Server: floor", "X-Frame-Options: SAMEORIGIN")
    options = [option for field in fields for option in ("--field", field)]

    def prepare(setting: Setting) -> Command:
        program = tools.build("floor", setting.tools)
        return Command((str(program), "--listen", f"{HOST}:{setting.port}", "--body", str(body_bytes), *options), {})

    return Peer("floor", lambda: None, lambda: "epoll + recv + send", prepare)


FLOOR = floor()
