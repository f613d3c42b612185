"""The command line: what it prints and with which status it ends."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from fastedge.cli import COMMANDS, main

CONFIG = '[server]\nworkers = 3\n[policy]\nfile = "shop.py"\n[origins.main]\nservers = ["http://127.0.0.1:9"]\n'
POLICY = "from fastedge import Pipeline\npipeline = Pipeline()\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "edge.toml").write_text(CONFIG)
    (tmp_path / "shop.py").write_text(POLICY)
    return tmp_path


def test_help_lists_every_command_without_importing_any() -> None:
    code = (
        "import sys; from fastedge.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print([name for name in sys.modules if name.startswith('fastedge.cli.')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", [*COMMANDS])
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name


def test_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    assert "No such command" in result.stderr


def test_check_of_a_good_configuration_shows_sizes_over_all_workers(site: Path) -> None:
    result = CliRunner().invoke(main, ["check", str(site / "edge.toml")])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"{site}/edge.toml: ok"
    row = next(line for line in result.stdout.splitlines() if line.startswith("origins.main.connections_max"))
    assert row.split()[1:] == ["256", "768", "connections"]


def test_check_takes_overrides(site: Path) -> None:
    result = CliRunner().invoke(main, ["check", str(site / "edge.toml"), "--set", "server.workers=none"])
    assert result.exit_code == 2
    assert "--set: server.workers: " in result.stderr


def test_check_prints_every_problem(site: Path) -> None:
    (site / "edge.toml").write_text(CONFIG + '[keys.shop]\nsecret_env = "NOT_SET"\n[nonsense]\n')
    result = CliRunner().invoke(main, ["check", str(site / "edge.toml")])
    assert result.exit_code == 2
    assert "keys.shop.secret_env: cannot use the environment variable NOT_SET: not set" in result.stderr
    assert "nonsense: unknown section" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("edge.toml: 2 problems")


def test_check_executes_policies(site: Path) -> None:
    (site / "shop.py").write_text("import fastedge\nboom()\n")
    result = CliRunner().invoke(main, ["check", str(site / "edge.toml")])
    assert result.exit_code == 2
    assert "shop.py: line 2: NameError" in result.stderr


def test_check_finds_loops_of_redirects(site: Path) -> None:
    (site / "edge.toml").write_text(CONFIG + '[tables.moved]\nfile = "moved.csv"\n')
    (site / "moved.csv").write_text("source,target,status\n/a,/b,301\n/b,/a,301\n")
    result = CliRunner().invoke(main, ["check", str(site / "edge.toml")])
    assert result.exit_code == 2
    assert "tables.moved: line 2, 3: redirects in a circle: /a → /b → /a" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("edge.toml: 1 redirect loop")


def test_check_reads_fragments(site: Path) -> None:
    (site / "edge.toml").write_text(CONFIG + '[fragments.banners]\nfile = "banners.json"\n')
    (site / "banners.json").write_text('{"DE": 1}')
    result = CliRunner().invoke(main, ["check", str(site / "edge.toml")])
    assert result.exit_code == 2
    assert "fragments.banners.file: banners.json: 'DE': expected a text" in result.stderr


def test_check_names_settings_that_no_experiment_has(site: Path) -> None:
    (site / "edge.toml").write_text(CONFIG + '[experiments]\nfile = "experiments.json"\n')
    (site / "experiments.json").write_text('{"chekcout": {"state": "off"}}')
    result = CliRunner().invoke(main, ["check", str(site / "edge.toml")])
    assert result.exit_code == 0
    assert "experiments.file: no policy has an experiment 'chekcout'" in result.stderr


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check", str(tmp_path / "edge.toml")])
    assert result.exit_code == 2
    assert "no such file" in result.stderr


def test_bench_outside_a_checkout_says_where_to_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["bench", "--quick"])
    assert result.exit_code == 1
    assert result.stderr == "Error: there are no benchmarks here: they are in a checkout of fastedge, run it there\n"
