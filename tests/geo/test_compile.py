"""The command that compiles a table ahead of time."""

from pathlib import Path

import pytest

from fastedge.geo import load
from fastedge.geo.compile import main

from .mmdb_writer import Writer


def database(*codes: str) -> bytes:
    writer = Writer(ip_version=4)
    for i, code in enumerate(codes):
        writer.insert(f"{10 + i}.0.0.0/8", {"country_code": code})
    return writer.to_bytes()


def test_command_writes_a_table_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.mmdb").write_bytes(database("DE", "AP"))
    assert main([str(tmp_path / "in.mmdb"), str(tmp_path / "out.bin"), "--source", "somewhere"]) == 0
    table = load((tmp_path / "out.bin").read_bytes())
    assert (table.lookup("10.0.0.1").country, table.source) == ("DE", "somewhere")
    said = capsys.readouterr().out
    assert "1 countries" in said
    assert "2023-11-14" in said
    assert "left unknown: AP" in said


def test_name_of_the_data_is_the_databases_own_when_none_is_given(tmp_path: Path) -> None:
    (tmp_path / "in.mmdb").write_bytes(database("DE"))
    main([str(tmp_path / "in.mmdb"), str(tmp_path / "out.bin")])
    assert load((tmp_path / "out.bin").read_bytes()).source == "Test-Country"


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_bad_input_ends_with_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "in.mmdb").write_bytes(content)
    assert main([str(tmp_path / "in.mmdb"), str(tmp_path / "out.bin")]) == 1
    error = capsys.readouterr().err
    assert "in.mmdb" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.bin").exists()
