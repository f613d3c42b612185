"""What jobs share: their loads and the rows of their reports."""

from collections.abc import Mapping, Sequence

from benchmarks import traffic
from benchmarks.harness import Bench, Round
from benchmarks.load import Load, write_requests
from benchmarks.peers import Peer
from benchmarks.report import JobReport
from benchmarks.traffic import Visitor

NUMBERED = "/objects/"
NUMBER_DIGITS = 8  # as many # as tools/loadgen.c writes over


def report_for(bench: Bench, job: str, title: str, peers: Sequence[Peer]) -> JobReport:
    """An empty report that names who takes part and who cannot."""
    missing = [f"{who} was not measured: {why}" for who, why in bench.missing.items() if who.startswith(f"{job}: ")]
    return JobReport(job, title, versions={peer.name: peer.version() for peer in peers}, notes=missing)


def proxy_load(bench: Bench, count: int) -> Load:
    """The requests of the proxy job."""
    path = bench.directory / "proxy.requests"
    write_requests(path, traffic.proxy_requests(bench.countries.addresses(traffic.TARGET_POOL)))
    return Load(path, body_bytes=traffic.BODY_BYTES, count=count)


def answer_load(bench: Bench, visitors: Sequence[Visitor], count: int) -> Load:
    """The requests of the answer job: each visitor in turn."""
    path = write_requests(bench.directory / "answer.requests", traffic.answer_requests(visitors))
    return Load(path, body_bytes=traffic.BODY_BYTES, count=count)


def numbered_load(bench: Bench, numbers: int, body_bytes: int, count: int = 0) -> Load:
    """Requests of clients that say little, for so many different objects."""
    request = f"GET {NUMBERED}{'#' * NUMBER_DIGITS} HTTP/1.1\r\nHost: {traffic.HOST}\r\n\r\n".encode()
    path = write_requests(bench.directory / "numbered.requests", [request])
    return Load(path, count=count or bench.count, body_bytes=body_bytes, numbers=numbers)


def numbered_target(number: int) -> str:
    """One of those objects."""
    return f"{NUMBERED}{number:0{NUMBER_DIGITS}}"


def add_cpu(report: JobReport, turns: Mapping[str, Sequence[Round]]) -> None:
    """CPU a request with its ratios, and answers a second beside it."""
    report.compared = ("cpu",)
    for peer, rounds in turns.items():
        requests = sum(each.load.requests for each in rounds)
        report.add(peer, "cpu", "µs/request", [each.cpu_us for each in rounds], requests)
        report.add(peer, "rate", "requests/s", [each.load.rate for each in rounds], requests)


def note_targets(report: JobReport, targets: Sequence[tuple[str, str, float]]) -> None:
    """What a peer's CPU may be at most beside another's, and what it was; nothing about those who were not measured."""
    for peer, other, ratio_max in targets:
        result = report.find(peer, "cpu")
        if result and report.find(other, "cpu"):
            ratio = report.ratios(result)[other]
            outcome = "reached" if ratio <= ratio_max else "missed"
            report.notes.append(f"{peer} ÷ {other}: {ratio:.3g}, asked ≤ {ratio_max:.3g}: {outcome}")
