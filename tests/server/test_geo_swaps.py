"""A whole edge whose geo table changes under it: all workers go over to the new one, and no request is held up or lost."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

from running import SECONDS_MAX, Edge, ask, wait_until

from fastedge.geo import Place, compile_table
from tests.geo.mmdb_writer import encode, even_database

Run = Callable[..., Edge]

POLICY = """
from fastedge import Pipeline, Response
from fastedge.stages import GeoGate

class Where:
    def on_request(self, request, ctx):
        geo = ctx.geo
        asked = request.headers.get("x-ip") or ""
        return Response.text(f"{geo.country} {geo.city} {geo.asn} {ctx.client} {asked}")

pipeline = Pipeline(GeoGate(deny=["asn:666"], status=451), Where())
"""
OVERRIDES = "network,country,region,city,time_zone,asn\n127.0.0.1,{country},,{city},,{asn}\n"


def where(edge: Edge, headers: dict[str, str] | None = None) -> str:
    status, text = ask(edge.port, "GET", "/", headers)
    return text.strip() if status == 200 else str(status)


def metric(edge: Edge, name: str) -> int:
    lines = edge.admin("GET", "/metrics")[1].splitlines()
    return int(next(line for line in lines if line.startswith(name + " ")).rpartition(" ")[2])


def override(path: Path, country: str, city: str, asn: int) -> None:
    """As whoever replaces a file well does it: in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_text(OVERRIDES.format(country=country, city=city, asn=asn))
    fresh.rename(path)


def test_table_is_swapped_and_a_broken_file_leaves_the_one_in_use(run_edge: Run, tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    override(path, "DE", "Berlin", 1)
    edge = run_edge(policy=POLICY, more=f'[geo]\noverrides = "{path}"\n')
    assert where(edge) == "DE Berlin 1 127.0.0.1"
    known = edge.status()["geo"]
    assert (known["knows"], known["problem"]) == (["country", "asn", "city"], None)

    override(path, "FR", "Paris", 2)
    edge.wait_for_line("has changed: the new table is in use")
    wait_until(lambda: {where(edge) for _ in range(12)} == {"FR Paris 2 127.0.0.1"}, "all workers have it")
    assert metric(edge, 'fastedge_geo_swaps_total{outcome="done"}') == 1
    assert metric(edge, "fastedge_geo_age_seconds") > 0

    path.write_text("network,country\n127.0.0.1,XX\n")
    line = edge.wait_for_line("the table in use stays")
    assert "overrides.csv: line 2: 'XX' is no country" in line
    assert {where(edge) for _ in range(12)} == {"FR Paris 2 127.0.0.1"}
    assert metric(edge, 'fastedge_geo_swaps_total{outcome="failed"}') == 1
    assert "'XX' is no country" in edge.status()["geo"]["problem"]

    # A worker that starts now gets the table that is in use, not the file.
    victim = edge.pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in edge.pids() and len(edge.pids()) == 2, "another worker")
    edge.wait_until_ready()
    assert {where(edge) for _ in range(12)} == {"FR Paris 2 127.0.0.1"}

    override(path, "FR", "Paris", 666)
    wait_until(lambda: where(edge) == "451", "the gate goes by the new table")


def test_reload_takes_other_files_or_says_why_not(run_edge: Run, tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    override(path, "DE", "Berlin", 1)
    edge = run_edge(policy=POLICY, more=f'[geo]\noverrides = "{path}"\n')
    other = tmp_path / "other.bin"
    config = edge.config.replace(str(path), "nowhere.csv")
    (edge.directory / "edge.toml").write_text(config)
    status, answer = edge.reload()
    assert (status, answer["errors"][0]["key"]) == (422, "geo.overrides")
    assert "cannot use the file nowhere.csv: no such file" in answer["errors"][0]["text"]
    assert where(edge) == "DE Berlin 1 127.0.0.1"

    other.write_bytes(compile_table([(0, "US")], [], built=1, source="countries alone"))
    (edge.directory / "edge.toml").write_text(edge.config.replace(f'overrides = "{path}"', f'database = "{other}"'))
    status, answer = edge.reload()
    assert status == 422, "the policy has a rule about what the new table never knows"
    assert "GeoGate: needs asn, and the geo table (countries alone) has none" in answer["errors"][0]["text"]
    assert where(edge) == "DE Berlin 1 127.0.0.1"

    other.write_bytes(compile_table([(0, Place("US", asn=7))], [], built=1, source="more"))
    assert edge.reload()[0] == 200
    assert {where(edge) for _ in range(12)} == {"US  7 127.0.0.1"}


def test_table_that_cannot_be_read_ends_the_start(run_edge: Run, tmp_path: Path) -> None:
    broken = tmp_path / "country.mmdb"
    broken.write_bytes(even_database([encode({"country_code": "DE"})], bits=4)[:-40])
    edge = run_edge(more=f'[geo]\ndatabase = "{broken}"\n', wait=False)
    assert edge.process.wait(SECONDS_MAX) == 2
    assert any("geo.database: cannot use the file" in line and "MMDB" in line for line in edge.lines), edge.lines


def test_trusted_peer_stands_in_for_another_place_and_nobody_else_does(run_edge: Run, tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    path.write_text(
        "network,country,region,city,time_zone,asn\n192.0.2.0/24,DE,,Berlin,,1\n2001:db8::/32,FR,,Paris,,2\n"
    )
    more = f'[geo]\noverrides = "{path}"\nip_override = "X-IP"\n'
    stranger = run_edge(policy=POLICY, more=more, workers=1)
    assert where(stranger, {"X-IP": "192.0.2.1"}) == "0 127.0.0.1"
    trusting = run_edge(policy=POLICY, more=more, workers=1)
    trusted = trusting.config.replace("workers = 1", 'workers = 1\ntrusted_proxies = ["127.0.0.1"]')
    (trusting.directory / "edge.toml").write_text(trusted)
    assert trusting.reload()[0] == 200
    assert where(trusting, {"X-IP": "192.0.2.1"}) == "DE Berlin 1 127.0.0.1"
    assert where(trusting, {"x-ip": "2001:db8::1"}) == "FR Paris 2 127.0.0.1"
    assert where(trusting) == "0 127.0.0.1"
    assert where(trusting, {"X-IP": "Berlin"}) == "400"


def test_swap_of_a_large_table_holds_no_request_up(run_edge: Run, tmp_path: Path) -> None:
    """Requests one behind the other over the whole of it; the bound is wide, since the tests share their cores."""
    path = tmp_path / "big.mmdb"

    def large(city: str) -> None:
        records = [encode({"country_code": "DE", "city": f"{city} {i}", "asn": f"AS{i + 1}"}) for i in range(20_000)]
        fresh = path.with_suffix(".new")
        fresh.write_bytes(even_database(records, bits=17))
        fresh.rename(path)

    large("Old")
    edge = run_edge(policy=POLICY, more=f'[geo]\ndatabase = "{path}"\n', workers=1)
    stopped, delays, answers = threading.Event(), [0.0], set()

    def load() -> None:
        connection = HTTPConnection("127.0.0.1", edge.port, timeout=SECONDS_MAX)
        while not stopped.is_set():
            began = time.perf_counter()
            connection.request("GET", "/")
            answers.add(connection.getresponse().read().split()[1])
            delays.append(time.perf_counter() - began)
        connection.close()

    client = threading.Thread(target=load)
    client.start()
    try:
        large("New")
        wait_until(lambda: b"New" in answers, "the new table answers")
    finally:
        stopped.set()
        client.join()
    assert answers == {b"Old", b"New"}
    assert max(delays) < 0.5
    assert json.dumps(edge.status()["geo"]["problem"]) == "null"
