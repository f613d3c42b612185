"""The answer job where whoever remembers tokens may keep a tenth of them: each is forgotten before it comes again."""

from benchmarks.harness import Bench
from benchmarks.jobs import answer
from benchmarks.peers.fastedge import FASTEDGE_TENTH
from benchmarks.peers.floor import FLOOR
from benchmarks.peers.haproxy import HAPROXY_ANSWER
from benchmarks.peers.nginx import NGINX_LUA, NGINX_LUA_TENTH
from benchmarks.report import JobReport

PEERS = (FLOOR, NGINX_LUA, NGINX_LUA_TENTH, HAPROXY_ANSWER, FASTEDGE_TENTH)


def run(bench: Bench) -> JobReport:
    """The requests of `answer`, and the same questions before them."""
    return answer.measure(bench, "tenth", "the answer job, a tenth of the tokens remembered", PEERS)
