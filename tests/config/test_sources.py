"""Reading once: what is read, what cannot be, and that it stays what it was."""

import os
import threading

import pytest

from fastedge.config import ConfigErrors, Sources, load
from fastedge.config import sources as sources_module

SECRET = "correct horse battery staple"


def problem_of(sources):
    with pytest.raises(ConfigErrors) as caught:
        load(sources)
    (problem,) = caught.value.problems
    return f"{problem.key}: {problem.text}"


def test_read_holds_every_file_and_variable_that_is_named(sources, tmp_path):
    read = sources(
        '[policy]\nfile = "p.py"\n[tables.t]\nfile = "t.csv"\n[keys.a]\nsecret_env = "A"\n[keys.b]\nsecret_file = "b"\n'
        '[[sites]]\nhosts = ["a"]\npolicy = "./p.py"',
        {"p.py": b"policy", "t.csv": b"table", "b": b"file"},
        {"A": SECRET, "OTHER": "no business of ours"},
    )
    load(read)
    assert dict(read.files) == {
        f"{tmp_path}/p.py": b"policy",
        f"{tmp_path}/t.csv": b"table",
        f"{tmp_path}/b": b"file",
    }
    assert dict(read.variables) == {"A": SECRET.encode()}
    assert dict(read.failures) == {}


def test_read_is_the_same_after_the_files_broke(sources, tmp_path):
    read = sources('[policy]\nfile = "p.py"', {"p.py": b"good"})
    before = load(read)
    (tmp_path / "p.py").unlink()
    (tmp_path / "edge.toml").write_text("[broken")
    assert load(Sources.from_bytes(read.to_bytes())) == before
    assert read.files[f"{tmp_path}/p.py"] == b"good"


def test_bytes_round_trip_is_equal_and_immutable(sources):
    read = sources('[keys.a]\nsecret_env = "A"', {}, {"A": SECRET}, ["server.workers=3"])
    back = Sources.from_bytes(read.to_bytes())
    assert back == read
    assert load(back).server.workers == 3
    for mapping in (read.files, back.variables, back.failures):
        with pytest.raises(TypeError):
            mapping["x"] = b""


def test_repr_shows_no_secret(sources):
    read = sources('[keys.a]\nsecret_env = "A"', {}, {"A": SECRET})
    assert SECRET.encode() in read.to_bytes()
    for text in (repr(read), str(read), repr([read]), f"{read}"):
        assert SECRET not in text
        assert text.strip("[]").endswith("edge.toml: 0 files, 1 variables>")


def test_file_missing_is_named_with_its_key(sources):
    read = sources('[tables.t]\nfile = "sub/t.csv"')
    assert problem_of(read) == "tables.t.file: cannot use the file sub/t.csv: no such file or directory"


def test_file_that_is_a_directory_is_refused(sources, tmp_path):
    (tmp_path / "d").mkdir()
    assert problem_of(sources('[policy]\nfile = "d"')).startswith("policy.file: cannot use the file d: ")


def test_file_that_is_a_fifo_does_not_hold_the_reader(sources, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    read = []
    reader = threading.Thread(target=lambda: read.append(sources('[policy]\nfile = "fifo"')), daemon=True)
    reader.start()
    reader.join(5)
    assert problem_of(read[0]) == "policy.file: cannot use the file fifo: not a regular file"


def test_file_unreadable_is_refused(sources, tmp_path):
    (tmp_path / "a").symlink_to("a")
    assert problem_of(sources('[tables.t]\nfile = "a"')).startswith(
        "tables.t.file: cannot use the file a: too many levels of symbolic links"
    )


@pytest.mark.parametrize(("size", "is_read"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
def test_file_at_its_bound(sources, size, is_read):
    read = sources('[policy]\nfile = "p.py"', {"p.py": b"#" * size})
    if is_read:
        load(read)
    else:
        assert problem_of(read) == "policy.file: cannot use the file p.py: larger than 1048576 bytes"


def test_files_all_together_have_a_bound(sources, monkeypatch):
    monkeypatch.setattr(sources_module, "sources_bytes_max", 300)
    read = sources('[tables.a]\nfile = "a"\n[tables.b]\nfile = "b"', {"a": b"x" * 150, "b": b"x" * 150})
    assert problem_of(read).startswith("tables.b.file: cannot use the file b: larger than ")


def test_edge_toml_too_large_is_refused(sources):
    read = sources("#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigErrors, match=r"edge\.toml: larger than 1048576 bytes$"):
        load(read)


@pytest.mark.parametrize(
    ("environment", "why"),
    [({}, "not set"), ({"SHOP_KEY": ""}, "empty"), ({"SHOP_KEY": "x" * 1_048_577}, "larger than 1048576 bytes")],
)
def test_variable_that_cannot_be_used(sources, environment, why):
    read = sources('[keys.shop]\nsecret_env = "SHOP_KEY"', {}, environment)
    assert problem_of(read) == f"keys.shop.secret_env: cannot use the environment variable SHOP_KEY: {why}"


def test_variable_that_may_be_the_secret_itself_is_not_repeated(sources):
    read = sources('[admin]\ntoken_env = "hunter2hunter2"')
    assert problem_of(read) == "admin.token_env: cannot use the environment variable: not set"


def test_variable_of_any_bytes_is_kept_as_it_is(sources):
    read = sources('[keys.a]\nsecret_env = "A"', {}, {"A": os.fsdecode(b"\xff\xfe" * 16)})
    assert Sources.from_bytes(read.to_bytes()).variables["A"] == b"\xff\xfe" * 16


def test_path_that_is_not_utf8_can_be_told(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.toml")
    read = Sources.read(path, {}, ["server.cdn_id=\udcff"])
    assert Sources.from_bytes(read.to_bytes()) == read
    with pytest.raises(ConfigErrors, match=r"udcff\.toml: no such file or directory$"):
        load(read)


def test_failures_beside_mistakes_all_are_reported(sources):
    read = sources('[server]\nworkers = "x"\n[policy]\nfile = "p.py"\n[keys.a]\nsecret_env = "A"')
    with pytest.raises(ConfigErrors) as caught:
        load(read)
    assert [problem.key for problem in caught.value.problems] == [
        "server.workers",
        "policy.file",
        "keys.a.secret_env",
    ]


def test_shown_is_the_path_as_written(sources, tmp_path):
    read = sources("")
    assert read.shown(f"{tmp_path}/policies/shop.py") == "policies/shop.py"
    assert read.shown("/srv/shop.py") == "/srv/shop.py"
