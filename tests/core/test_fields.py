"""Fields: a multi-dictionary of one message; and that nothing gets in which could not stand in a field line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import Fields, Request
from fastedge._core.wire import RequestReader
from fastedge.limits import field_name_learned_bytes_max

LINES = [
    ("Accept", "a"),
    ("X-One", "1"),
    ("accept", "b"),
    ("Cookie", "a=b"),
    ("cookie", "c=d"),
    ("Set-Cookie", "x"),
    ("set-cookie", "y"),
]


def test_names_in_any_case_are_one_name_and_lines_keep_their_order():
    fields = Fields(LINES)
    assert fields.items() == [(name.lower(), value) for name, value in LINES]
    assert fields["ACCEPT"] == fields.get("accept") == "a, b"
    assert fields.get_all("Accept") == ["a", "b"]
    assert list(fields) == ["accept", "x-one", "cookie", "set-cookie"]
    assert len(fields) == 7 and "X-ONE" in fields and "x-two" not in fields


def test_cookies_join_by_semicolons_and_set_cookie_not_at_all():
    fields = Fields(LINES)
    assert (fields["cookie"], fields["set-cookie"], fields.get_all("set-cookie")) == ("a=b; c=d", "x", ["x", "y"])


def test_absent_names():
    fields = Fields()
    assert (fields.get("x"), fields.get("x", "y"), fields.get_all("x")) == (None, "y", [])
    fields.remove("x")
    with pytest.raises(KeyError):
        fields["x"]


def test_set_replaces_add_adds_remove_removes():
    fields = Fields({"x": "1", "y": "2"})
    fields.add("X", "3")
    fields["Y"] = "4"
    assert fields.items() == [("x", "1"), ("x", "3"), ("y", "4")]
    fields.set("x", " 5\t")
    assert fields.items() == [("y", "4"), ("x", "5")]
    del fields["y"]
    fields.add("z", "")
    assert fields.items() == [("x", "5"), ("z", "")]


def test_copy_is_another():
    fields = Fields(LINES * 5)
    twin = fields.copy()
    assert twin == fields
    twin.set("accept", "c")
    assert twin != fields and fields["accept"].startswith("a, b")


def test_copy_of_a_requests_fields_can_be_edited_and_outlives_it():
    reader = RequestReader()
    twin = reader.parse(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: abc\r\n" * 40 + b"\r\n").headers.copy()
    reader.parse(b"GET / HTTP/1.1\r\nHost: y\r\nX: other\r\n\r\n")
    twin.set("host", "z")
    assert twin.items() == [("x", "abc")] * 40 + [("host", "z")]


def test_fields_of_a_request_are_frozen():
    headers = Request(headers={"x": "1"}).headers
    for change in (lambda: headers.set("x", "2"), lambda: headers.add("x", "2"), lambda: headers.remove("x")):
        with pytest.raises(TypeError):
            change()
    assert headers.items() == [("x", "1")]


@pytest.mark.parametrize("name", ["", " ", "a b", "a:", "a\r\n", "é", "ł", "(a)", "a\0", '"a"', "a/b"])
def test_what_is_no_token_is_no_name(name):
    for use in (Fields().get, Fields().remove, lambda text: Fields({text: "x"}), lambda text: Fields().add(text, "x")):
        with pytest.raises(ValueError, match="is not a field name"):
            use(name)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0", "\x7f", "\x0b", "ł", "😀"])
def test_what_cannot_stand_in_a_line_is_no_value(value):
    with pytest.raises(ValueError, match="a field value has"):
        Fields({"x": value})


@pytest.mark.parametrize("value", [None, 1, ["a"]])
def test_values_are_texts(value):
    with pytest.raises(TypeError):
        Fields({"x": value})


NAMES = st.text("abcXYZ-", min_size=1, max_size=3)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["set", "add", "remove"]), NAMES, VALUES), max_size=60))
def test_edits_do_as_a_list_of_pairs_does(edits):
    fields, model = Fields(), []
    for kind, name, value in edits:
        if kind in ("set", "remove"):
            model = [line for line in model if line[0] != name.lower()]
        if kind in ("set", "add"):
            model.append((name.lower(), value))
        getattr(fields, kind)(*((name,) if kind == "remove" else (name, value)))
    assert fields.items() == fields.copy().items() == model


def test_names_too_long_to_learn_are_equal_all_the_same():
    name = "x" * (field_name_learned_bytes_max + 1)
    fields = Fields([(name, "1"), (name.upper(), "2")])
    assert fields.get_all(name) == ["1", "2"]
    fields.set(name, "3")
    assert fields.items() == [(name, "3")]
    head = b"GET / HTTP/1.1\r\nHost: x\r\n%b: 1\r\n%b: 2\r\n\r\n" % (name.encode(), name.upper().encode())
    assert RequestReader().parse(head).headers.get_all(name) == ["1", "2"]
