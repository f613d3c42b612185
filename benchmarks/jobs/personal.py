"""The personal job: a stored page of 50 KB with six parts that are each visitor's own, beside the page as stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmarks import agree, personal
from benchmarks.harness import Bench, Running
from benchmarks.jobs.common import add_cpu, note_targets, report_for
from benchmarks.load import Load, write_requests
from benchmarks.peers import Peer
from benchmarks.peers.fastedge import FASTEDGE_CACHE, FASTEDGE_PERSONAL
from benchmarks.peers.nginx import NGINX_PAGE, NGINX_PAGE_GZIP, NGINX_SUB
from benchmarks.peers.origin import personal_origin
from benchmarks.peers.varnish import VARNISH_ESI, VARNISH_ESI_GZIP
from benchmarks.peers.workerd import WORKERD, WORKERD_REWRITER
from benchmarks.report import JobReport


@dataclass(frozen=True, slots=True)
class Row:
    """A peer, in which encoding it is asked for the page, and whether that is each visitor's own.

    A turn has `count_share` times fewer requests than one with pages of 1 KB; 6 makes it one for each visitor.
    """

    peer: Peer
    encoding: str = "identity"
    is_personal: bool = True
    count_share: int = 2


ROWS = (
    Row(NGINX_PAGE, is_personal=False),
    Row(FASTEDGE_CACHE, is_personal=False),
    Row(FASTEDGE_PERSONAL),
    Row(NGINX_PAGE_GZIP, "gzip", is_personal=False),
    Row(replace(FASTEDGE_CACHE, name="fastedge-gzip"), "gzip", is_personal=False),
    Row(replace(FASTEDGE_PERSONAL, name="fastedge-personal-gzip"), "gzip"),
    Row(NGINX_SUB, count_share=6),
    Row(VARNISH_ESI, count_share=6),
    Row(VARNISH_ESI_GZIP, "gzip", count_share=6),
    Row(WORKERD, is_personal=False, count_share=6),
    Row(WORKERD_REWRITER, count_share=6),
)
TARGETS = (
    ("fastedge-personal", "fastedge", 1.3),
    ("fastedge-personal-gzip", "fastedge-gzip", 1.5),
    ("fastedge-personal", "workerd-rewriter", 1 / 20),
    ("fastedge-personal", "nginx-sub", 1 / 4),
)


def run(bench: Bench) -> JobReport:
    """CPU microseconds a request; the origin sleeps meanwhile: page and parts come from each edge's own store."""
    peers = bench.present("personal", [row.peer for row in ROWS])
    report = report_for(bench, "personal", f"50 KB stored, {len(personal.SLOTS)} parts each visitor's own", peers)
    report.beside = tuple(dict.fromkeys(other for _, other, _ in TARGETS))
    visitors = personal.make_visitors(bench.countries, personal.VISITORS)
    rows = {row.peer.name: row for row in ROWS}
    with bench.serving(peers, origin_peer=personal_origin()) as scene:
        loads = {each.name: _load(bench, each, rows[each.name], visitors) for each in scene.edges}
        add_cpu(report, bench.measure(scene.edges, loads, partial(bench.hits, scene.origin)))
    note_targets(report, TARGETS)
    return report


def _load(bench: Bench, edge: Running, row: Row, visitors: Sequence[personal.Visitor]) -> Load:
    """Its requests, once it has shown that it does the work."""
    body_bytes = agree.require_personal(edge, visitors, row.encoding, row.is_personal)
    path = bench.directory / f"personal.{row.encoding}.requests"
    write_requests(path, personal.requests(visitors, row.encoding))
    return Load(path, count=bench.count // row.count_share, body_bytes=body_bytes)
