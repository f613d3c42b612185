"""[fragments.NAME]: a file is a table of fragments, or every reason why it is none."""

import json

import pytest

from fastedge.errors import ConfigError
from fastedge.html import Fragment, load_fragments
from fastedge.limits import fragments_in_table_max, html_value_bytes_max


def test_file_is_a_table_of_fragments() -> None:
    table = load_fragments("b.json", '{"DE": "<p>Grüße</p>", "": ""}'.encode())
    assert {name: fragment.data for name, fragment in table.items()} == {"DE": "<p>Grüße</p>".encode(), "": b""}
    assert all(isinstance(fragment, Fragment) for fragment in table.values())
    assert not load_fragments("b.json", b"{}")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "b.json: expected JSON"),
        (b"\xff", "b.json: expected JSON"),
        (b"[" * 100_000, "b.json: expected JSON"),
        (b"[]", "b.json: expected an object"),
        (b'"x"', "b.json: expected an object"),
        (b'{"a": {"b": "c"}}', "b.json: 'a': expected a text"),
        (b'{"a": "1", "a": "2"}', "b.json: 'a': found twice, expected once"),
        (b'{"a": 1, "b": null}', "b.json: 'a': expected a text\nb.json: 'b': expected a text"),
        (json.dumps({"a": "ö" * (html_value_bytes_max // 2) + "x"}).encode(), "b.json: 'a': longer than 262144 bytes"),
        (
            json.dumps(dict.fromkeys(map(str, range(fragments_in_table_max + 1)), "")).encode(),
            "b.json: 10001 fragments, at most 10000 are allowed",
        ),
    ],
)
def test_file_that_cannot_be_used_says_why(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_fragments("b.json", data)
    assert str(error.value).startswith(problem)
