"""Files of redirects: what is read, and that every problem is told with its file, line and column."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge.errors import ConfigError
from fastedge.limits import redirect_errors_max, redirect_patterns_max, redirect_source_bytes_max
from fastedge.routing import load_table, table_of


def load(text, name="moved.csv"):
    return load_table(name, text.encode())


def problems(text, name="moved.csv"):
    with pytest.raises(ConfigError) as caught:
        load(text, name)
    return str(caught.value).split("\n")


def test_csv_with_all_columns():
    table = load('source,target,status,query\n/a,/b,308,drop\n"/c,d","/e?x=1",,\n')
    assert table.find("/a", "q") == (308, "/b")
    assert table.find("/c,d", "q") == (301, "/e?x=1&q")


def test_csv_with_columns_in_another_order_and_left_out():
    table = load("status,target,source\n302,/b,/a\n,/d,/c\n")
    assert table.find("/a", "q") == (302, "/b?q")
    assert table.find("/c") == (301, "/d")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_csv_with_comments_blank_lines_and_a_byte_order_mark(newline):
    lines = ["\ufeff# moved in spring", "", "source,target", '# a "comment', "/a,/b", "", "#/c,/d", "/e, /f"]
    table = load(newline.join(lines))
    assert [table.row(i)[0] for i in range(len(table))] == [5, 8]
    assert table.find("/e") == (301, "/f")
    assert table.find("/c") is None


def test_csv_with_short_rows_takes_the_defaults():
    table = load("source,target,status,query\n/a,/b\n/c,/d,302\n")
    assert (table.find("/a"), table.find("/c")) == ((301, "/b"), (302, "/d"))


def test_json_list_of_objects():
    rows = [{"source": "/a", "target": "/b"}, {"source": "/c", "target": "/d", "status": 307, "query": "drop"}]
    table = load_table("moved.JSON", orjson.dumps(rows))
    assert table.find("/a", "q") == (301, "/b?q")
    assert table.find("/c", "q") == (307, "/d")


def test_host_is_read_in_lower_case():
    assert load("source,target\nSHOP.Example/Old,/New\n").find("/Old", "", "shop.example") == (301, "/New")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "moved.csv: is empty; expected source,target and optionally status and query as the first row"),
        ("# only a comment\n", "moved.csv: is empty; expected"),
        ("/a,/b\n", "moved.csv, line 1: '/a' is no column; expected source,target"),
        ("source\n", "moved.csv, line 1: there is no column 'target'; expected"),
        ("#\nsource,target,target\n", "moved.csv, line 2: 'target' is there twice; expected"),
        ('source,target\n"/a,/b\n', "moved.csv, line 2: is not CSV: "),
        ("source,target\n/a,/b,/c\n", "moved.csv, line 2, row: has 3 cells, the header has 2"),
        ("source,target\n,/b\n", "moved.csv, line 2, source: is empty; expected a path like /old"),
        ("source,target\nold,/b\n", "moved.csv, line 2, source: expected a path like /old or a host and a path"),
        ("source,target\nhttps://x/y,/b\n", "moved.csv, line 2, source: expected a path like /old or a host"),
        ("source,target\n/a?b=1,/b\n", "moved.csv, line 2, source: has a query; rows are found by their path alone"),
        ("source,target\n/a#b,/b\n", "moved.csv, line 2, source: has a fragment; rows"),
        ("source,target\n/a b,/b\n", "moved.csv, line 2, source: has ' ' as character 3"),
        ("source,target\n/\\b,/b\n", "moved.csv, line 2, source: has '\\' as character 2, which no URI can have"),
        ("source,target\n/é,/b\n", "moved.csv, line 2, source: has 'é' as character 2, which no URI can have; perc"),
        ("source,target\nshop.example:80/a,/b\n", "moved.csv, line 2, source: has a host with ':'; expected a name"),
        ("source,target\n*.shop.example/a,/b\n", "moved.csv, line 2, source: has a host with '*'; expected a name"),
        ("source,target\n/a**,/b\n", "moved.csv, line 2, source: has `**`; one `*` is enough"),
        ("source,target\n/*/*/*/*/*/*/*/*/*/*,/b\n", "moved.csv, line 2, source: has 10 `*`, at most 9"),
        (f"source,target\n/{'x' * redirect_source_bytes_max},/b\n", "moved.csv, line 2, source: is 2049 bytes long"),
        (f"source,target\n/*/{'x' * 256},/b\n", "moved.csv, line 2, source: is a pattern of 259 bytes, at most 256"),
        ("source,target\n/a,\n", "moved.csv, line 2, target: is empty; expected a path like /new or a URL"),
        ("source,target\n/a,b\n", "moved.csv, line 2, target: expected a path like /new or an http or https URL"),
        ("source,target\n/a,//b.example/\n", "moved.csv, line 2, target: begins with //, which is another host"),
        ("source,target\n/a,/\\b.example/\n", "moved.csv, line 2, target: has '\\' as character 2"),
        ("source,target\n/a,https:/b\n", "moved.csv, line 2, target: expected a path like /new or an http or https"),
        ("source,target\n/a,https://\n", "moved.csv, line 2, target: expected a path like /new or an http or https"),
        ("source,target\n/a,ftp://b.example/\n", "moved.csv, line 2, target: expected a path like /new or an http"),
        ("source,target\n/a,javascript:alert(1)\n", "moved.csv, line 2, target: expected a path like /new or an http"),
        ("source,target\n/a,https://user@b.example/\n", "moved.csv, line 2, target: expected a path like /new or an"),
        ("source,target\n/a/*,https://$1/\n", "moved.csv, line 2, target: expected a path like /new or an http or"),
        ("source,target\n/a/*,https://b.example*\n", "moved.csv, line 2, target: expected a path like /new or an"),
        ('source,target\n/a,"/b\r\nset-cookie: x"\n', "moved.csv, line 3, target: has '\\r' as character 3, which no"),
        ("source,target\n/a,/b\x00\n", "moved.csv, line 2, target: has '\\x00' as character 3, which no URI can have"),
        ("source,target\n/a,/b*\n", "moved.csv, line 2, target: asks for wildcard 1, but the source has 0"),
        ("source,target\n/a/*,/b/$2\n", "moved.csv, line 2, target: asks for wildcard 2, but the source has 1"),
        ("source,target\n/*/*,/$1/*\n", "moved.csv, line 2, target: mixes `*` and `$1`; use one of them"),
        ("source,target,status\n/a,/b,304\n", "moved.csv, line 2, status: expected 301, 302, 303, 307 or 308, found"),
        ("source,target,query\n/a,/b,yes\n", "moved.csv, line 2, query: expected keep or drop, found 'yes'"),
        ("source,target\n/a,/b\n/a,/c\n", "moved.csv, line 3, source: '/a' is in line 2 already, and goes elsewhere"),
        ("source,target\n/a/*,/b\n/a/*,/c\n", "moved.csv, line 3, source: '/a/*' is in line 2 already, and goes"),
        ("source,target\n/a*b,/b\n/a*b,/c\n", "moved.csv, line 3, source: '/a*b' is in line 2 already, and goes"),
    ],
)
def test_problem_is_told(text, line):
    assert len(problems(text)) == 1
    assert problems(text)[0].startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "moved.json, line 1, column 2: is not JSON: "),
        ("{}", "moved.json: expected a list of objects with source and target"),
        ("[1]", "moved.json, row 1, row: expected source, target and optionally status and query"),
        ('[{"source": "/a"}]', "moved.json, row 1, row: there is no 'target'; expected"),
        ('[{"source": "/a", "target": "/b", "code": 301}]', "moved.json, row 1, row: 'code' is no column; expected"),
        ('[{"source": 1, "target": "/b"}]', "moved.json, row 1, source: expected a text, found 1"),
        ('[{"source": "/a", "target": null}]', "moved.json, row 1, target: expected a text, found None"),
        ('[{"source": "/a", "target": "/b", "status": true}]', "moved.json, row 1, status: expected 301, 302"),
        ('[{"source": "/a", "target": "/b", "status": [301]}]', "moved.json, row 1, status: expected 301, 302"),
        ('[{"source": "/a", "target": "/b", "query": {}}]', "moved.json, row 1, query: expected keep or drop"),
    ],
)
def test_problem_in_json_is_told(text, line):
    assert problems(text, "moved.json")[0].startswith(line)


def test_file_that_is_not_utf8_is_told_with_its_line():
    with pytest.raises(ConfigError, match=r"^moved\.csv, line 2: is not UTF-8$"):
        load_table("moved.csv", b"source,target\n/\xff,/a\n")


def test_all_problems_are_told_at_once():
    told = problems("source,target,status\nx,/b\n/a,y\n/c,/d,200\n/e,/f\n/e,/g\n")
    assert [line.split(":")[0] for line in told] == [
        "moved.csv, line 2, source",
        "moved.csv, line 3, target",
        "moved.csv, line 4, status",
        "moved.csv, line 6, source",
    ]


def test_problems_beyond_the_limit_are_counted():
    told = problems("source,target\n" + "x,y\n" * (redirect_errors_max + 7))
    assert len(told) == redirect_errors_max + 1
    assert told[-1] == "moved.csv: and 7 more"


def test_equal_rows_are_one():
    assert load("source,target\n/a,/b\n/a,/b\n").find("/a") == (301, "/b")


@pytest.mark.parametrize("other", ["/b,302,", "/b,,drop", "/c,,"])
def test_rows_that_differ_in_anything_contradict_each_other(other):
    assert len(problems(f"source,target,status,query\n/a,/b,,\n/a,{other}\n")) == 1


def test_same_path_for_another_host_or_kind_is_another_row():
    assert len(load("source,target\n/a,/b\nx.example/a,/c\ny.example/a,/d\n/a/*,/e\n/a*,/f\n")) == 5


def test_too_many_patterns_are_refused():
    rows = "".join(f"/*/{i},/x\n" for i in range(redirect_patterns_max + 1))
    assert problems("source,target\n" + rows) == ["moved.csv: 1001 rows with a `*` inside, at most 1000"]


def test_too_many_rows_are_refused():
    rows = ((f"/{i}", "/") for i in range(1_000_001))
    with pytest.raises(ConfigError, match=r"^rows: more than 1000000 rows$"):
        table_of(rows)


TEXTS = st.text() | st.text(st.characters())  # the latter with lone surrogates, as a policy may have them


@given(TEXTS, TEXTS)
def test_any_cells_are_read_or_refused(source, target):
    try:
        table = table_of([(source, target)])
    except ConfigError as error:
        assert "\n" not in str(error)
        assert str(error).isprintable()
    else:
        assert len(table) == 1
        assert table.row(0)[3] == "/" + source.partition("/")[2]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_config_error(data):
    for name in ("x.csv", "x.json"):
        for text in (data, b"source,target\n" + data):
            try:
                load_table(name, text)
            except ConfigError as error:
                assert str(error).startswith(name)
