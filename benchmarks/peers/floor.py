"""The floor, and the same program as the origin behind every edge."""

from benchmarks import tools
from benchmarks.peers import Peer, Setting
from benchmarks.process import HOST, Command
from benchmarks.traffic import BODY_BYTES


def _prepare(setting: Setting) -> Command:
    program = tools.build("floor", setting.tools)
    # What an origin's dynamic page says: with no-store, every request has to go all the way, whoever stands in front.
    fields = ("Cache-Control: no-store", "Server: floor", "X-Frame-Options: SAMEORIGIN")
    options = [option for field in fields for option in ("--field", field)]
    return Command((str(program), "--listen", f"{HOST}:{setting.port}", "--body", str(BODY_BYTES), *options), {})


FLOOR = Peer("floor", lambda: None, lambda: "epoll + recv + send", _prepare)
