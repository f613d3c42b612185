"""`fastedge geo`: addresses and a file, for people and for machines."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastedge.cli import main
from fastedge.geo import Place, compile_table


def geo(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["geo", *arguments])


@pytest.fixture
def config(tmp_path: Path) -> str:
    places = [
        (0, ""),
        (1 << 24, Place("DE", "DE-BY", "München", "Europe/Berlin", 64500, "Example Netz")),
        (2 << 24, "US"),
    ]
    (tmp_path / "geo.bin").write_bytes(compile_table(places, [], built=1_700_000_000, source="a test"))
    (tmp_path / "edge.toml").write_text(
        '[geo]\ndatabase = "geo.bin"\n[origins.main]\nservers = ["http://127.0.0.1:1"]\n'
    )
    return str(tmp_path / "edge.toml")


def test_address_is_told_with_source_and_age(config: str) -> None:
    done = geo("1.2.3.4", config)
    assert done.exit_code == 0, done.output
    for part in ("DE-BY", "München", "Europe/Berlin", "64500", "Example Netz", "a test", "2023-11-14", "days old"):
        assert part in done.output
    assert "is_eu        yes" in done.output


def test_several_addresses_for_machines(config: str) -> None:
    done = geo("1.2.3.4", "2.0.0.1", "0.0.0.1", "::1", config, "--json")
    report = json.loads(done.output)
    assert {ip: facts["country"] for ip, facts in report["addresses"].items()} == {
        "1.2.3.4": "DE",
        "2.0.0.1": "US",
        "0.0.0.1": "",
        "::1": "",
    }
    assert report["addresses"]["1.2.3.4"]["asn"] == 64500
    assert (report["source"], report["date"]) == ("a test", "2023-11-14")
    assert report["knows"] == ["country", "asn", "city", "organization", "region", "time_zone"]


def test_table_that_ships_answers_without_a_file() -> None:
    done = geo("8.8.8.8")
    assert "country      US" in done.output
    assert "iptoasn.com" in done.output
    assert "unknown" in geo("127.0.0.1").output


@pytest.mark.parametrize("arguments", [("edge.toml",), ("nonsense", "8.8.8.8"), ("fe80::1%lo", "8.8.8.8"), ()])
def test_what_is_no_address_is_refused(arguments: tuple[str, ...]) -> None:
    assert geo(*arguments).exit_code == 2


def test_file_that_cannot_be_used_is_named(config: str) -> None:
    (Path(config).parent / "geo.bin").write_bytes(b"broken")
    done = CliRunner().invoke(main, ["geo", "1.2.3.4", config])
    assert done.exit_code == 2
    assert "geo.database: cannot use the file geo.bin: neither an MMDB" in done.stderr
