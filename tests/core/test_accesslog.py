"""The access log's lines: JSON whatever comes, bounded whatever comes, and saying what was given."""

import ipaddress
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge._core.accesslog import FIELDS, LogBuffer
from fastedge._core.message import Context, Plan, Request
from fastedge.limits import (
    log_buffer_bytes_max,
    log_line_bytes_max,
    log_name_bytes_max,
    log_path_bytes_max,
    log_text_bytes_max,
)

ALWAYS = [name for name, _, presence, _ in FIELDS if presence in ("always", "or null")]


def written(request=None, ctx=None, **measured):
    """The line of one exchange, as bytes."""
    log = LogBuffer(3)
    log.write(request or Request(), ctx or Context(), **measured)
    assert log.lines == 1
    line = log.take_batch()
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert len(line) <= log_line_bytes_max
    return line


def logged(*args, **measured):
    return json.loads(written(*args, **measured))


def refused(now=0.0, client=bytes(16), reason="bare_lf", **measured):
    log = LogBuffer()
    log.write_refusal(now, client, reason, **measured)
    return json.loads(log.take_batch())


def promised(value):
    """How a field's bytes come out: UTF-8 as UTF-8, every other byte as the Latin-1 character that it is."""
    text = ""
    while value:
        try:
            return text + value.decode()
        except UnicodeDecodeError as error:
            text += value[: error.start].decode() + value[error.start : error.end].decode("latin-1")
            value = value[error.end :]
    return text


def test_line_of_a_proxied_request_says_it_all():
    request = Request("GET", "/a/b?c=d", {"User-Agent": "curl/8", "Referer": "http://x/"}, host="Shop.Example:8080")
    ctx = Context(now=1764000000.123, client="203.0.113.9", plan=Plan(origin="eu"))
    line = logged(
        request, ctx, site="shop", status=200, bytes_in=78, bytes_out=1300, duration_us=2150, origin_asked=True,
        origin_status=200, origin_us=1900,
    )  # fmt: skip
    assert line == {
        "ts": "2025-11-24T16:00:00.123Z",
        "client": "203.0.113.9",
        "method": "GET",
        "scheme": "http",
        "host": "shop.example",
        "path": "/a/b",
        "query": "c=d",
        "status": 200,
        "bytes_in": 78,
        "bytes_out": 1300,
        "duration_us": 2150,
        "protocol": "HTTP/1.1",
        "site": "shop",
        "origin": "eu",
        "origin_status": 200,
        "origin_us": 1900,
        "cache": "DYNAMIC",
        "error": None,
        "worker": 3,
        "user_agent": "curl/8",
        "referer": "http://x/",
    }


def test_line_of_an_answer_of_our_own_names_no_origin():
    line = logged(ctx=Context(plan=Plan(origin="eu")), status=401)
    assert (line["origin"], line["origin_status"], line["origin_us"]) == (None, None, None)


def test_line_of_a_failed_origin_names_it_and_the_error():
    line = logged(ctx=Context(plan=Plan(origin="eu")), status=502, origin_asked=True, error="connection_refused")
    assert (line["origin"], line["origin_status"], line["error"]) == ("eu", None, "connection_refused")


def test_line_of_a_refusal_has_the_same_fields():
    line = refused(1764000000.0, ipaddress.ip_address("2001:db8::1").packed, "bare_lf", secure=True, bytes_in=9)
    assert list(line) == ALWAYS
    assert line["client"] == "2001:db8::1"
    assert line["scheme"] == "https"
    assert line["error"] == "bare_lf"
    assert line["path"] is None


def test_fields_come_in_the_order_of_the_table():
    request = Request(
        "GET", "/?q", {"traceparent": "00-1", "X-Request-Id": "r", "Referer": "e", "User-Agent": "u" * 999}, host="h"
    )
    ctx = Context()
    ctx.notes["JwtAuth"] = "expired"
    ctx.variants["checkout"] = "new"
    keys = list(logged(request, ctx, detail="JwtAuth.on_request: KeyError: 'sub'"))
    names = [name for name, *_ in FIELDS if name not in ("cache_reason", "country")]
    assert keys == names


def test_notes_and_variants_are_objects():
    ctx = Context()
    ctx.notes["GeoGate"] = 'refused "XX"'
    ctx.variants["checkout"] = "new"
    ctx.variants["größe"] = "b"
    line = logged(ctx=ctx)
    assert line["notes"] == {"GeoGate": 'refused "XX"'}
    assert line["variants"] == {"checkout": "new", "größe": "b"}


class Facts:
    country = "DE"
    continent = "EU"
    is_eu = True


class Table:
    def lookup_packed(self, address):
        return Facts()


def test_country_is_there_once_someone_asked():
    ctx = Context(geo=Table())
    assert "country" not in logged(ctx=ctx)
    assert ctx.geo.is_eu
    assert logged(ctx=ctx)["country"] == "DE"


def test_unknown_country_is_left_out():
    facts = Facts()
    facts.country = ""
    table = Table()
    table.lookup_packed = lambda address: facts
    ctx = Context(geo=table)
    assert ctx.geo.country == ""
    assert "country" not in logged(ctx=ctx)


def test_first_of_several_lines_of_a_field_is_logged():
    assert logged(Request(headers=[("referer", "a"), ("referer", "b")]))["referer"] == "a"


@pytest.mark.parametrize(
    ("target", "path", "query"), [("/", "/", None), ("/?", "/", ""), ("/a?b?c", "/a", "b?c"), ("*", "*", None)]
)
def test_target_is_path_and_query(target, path, query):
    line = logged(Request("OPTIONS", target))
    assert (line["path"], line["query"]) == (path, query)


@given(st.binary(max_size=200).filter(lambda b: not any((c < 32 and c != 9) or c == 127 for c in b)))
def test_any_field_value_comes_out_as_promised(value):
    text = promised(value.strip(b" \t"))
    line = written(Request(headers={"user-agent": value.decode("latin-1")}))
    got = json.loads(line)
    assert got["user_agent"] == text[: len(got["user_agent"])]
    assert got["user_agent"] == text or got["truncated"] is True
    line.decode("utf-8")


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_of_ours_comes_out(text):
    ctx = Context()
    ctx.notes["stage"] = text
    got = logged(ctx=ctx, detail=text)
    expected = text.encode("utf-8", "backslashreplace").decode()
    if "truncated" not in got:
        assert got["notes"] == {"stage": expected}
        assert got["detail"] == expected
    else:
        assert expected.startswith(got["detail"])


@pytest.mark.parametrize(
    "text", ["\0", "\x1b[31m", '"', "\\", "\x7f", "\x9b", "\u2028", "\u2029", "\u202e", "\u2066", "\n{}"]
)
def test_characters_that_deceive_readers_are_escaped(text):
    line = written(detail=f"a{text}b")
    assert f"a{text}b".encode() not in line
    assert json.loads(line)["detail"] == f"a{text}b"


@pytest.mark.parametrize(
    "value",
    [
        b"\xc0\xaf",
        b"\xe0\x80\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
        b"\xff",
        b"a\xe2\x82b",
    ],
)
def test_bytes_that_are_no_utf8_are_latin1(value):
    got = logged(Request(headers={"referer": value.decode("latin-1")}))
    assert got["referer"] == value.decode("latin-1")


@pytest.mark.parametrize("value", ["é", "€", "😀", "\U0010ffff", "߿", "ࠀ"])
def test_utf8_passes_as_it_is(value):
    line = written(Request(headers={"referer": value.encode().decode("latin-1")}))
    assert value.encode() in line
    assert json.loads(line)["referer"] == value


@pytest.mark.parametrize("size", range(20))
@pytest.mark.parametrize("odd", ['"', "\\", "\x7f", "\x1f", "\x80", " "])
def test_odd_character_is_seen_at_every_place(size, odd):
    for at in range(size):
        text = "x" * at + odd + "y" * (size - at - 1)
        assert logged(detail=text)["detail"] == text


def test_long_values_are_cut_at_their_bounds():
    request = Request("GET", "/" + "a" * 5000, {"user-agent": "b" * 5000})
    line = logged(request, site="c" * 500)
    assert len(line["path"]) == log_path_bytes_max
    assert len(line["user_agent"]) == log_text_bytes_max
    assert len(line["site"]) == log_name_bytes_max
    assert line["truncated"] is True


def test_value_of_exactly_its_bound_is_whole():
    line = logged(Request("GET", "/" + "a" * (log_path_bytes_max - 1)))
    assert "truncated" not in line


def test_cut_never_splits_a_character():
    value = "a" * (log_text_bytes_max - 1) + "é"
    assert logged(Request(headers={"referer": value.encode().decode("latin-1")}))["referer"] == value[:-1]
    assert logged(detail=value[:-1] + "\n")["detail"] == value[:-1]


@pytest.mark.parametrize("filler", ["a", "\x01", '"', "\xff", "é", "😀", "\u2028"])
def test_longest_line_fits_one_atomic_write(filler):
    hostile = (filler * 4000).encode("utf-8").decode("latin-1").replace("\x01", "\x9f")
    request = Request(
        "M" * 300, "/" + "a" * 7000 + "?" + "b" * 7000,
        {"user-agent": hostile, "referer": hostile, "x-request-id": hostile, "traceparent": hostile},
        host="h" * 600, scheme="https",
    )  # fmt: skip
    ctx = Context(client="2001:db8:1111:2222:3333:4444:5555:6666", plan=Plan(origin="o" * 300), now=1e10)
    for i in range(100):
        ctx.notes[f"{i}{filler}"] = filler * 9
        ctx.variants[f"{i}{filler}"] = filler * 9
    line = written(
        request, ctx, site=filler * 300, error=filler * 300, detail=filler * 3000, status=-(2**31), bytes_in=-(2**63),
        bytes_out=2**63 - 1, duration_us=-(2**63), origin_asked=True, origin_status=-(2**31), origin_us=2**63 - 1,
    )  # fmt: skip
    got = json.loads(line)
    assert got["truncated"] is True
    assert got["bytes_in"] == -(2**63)
    assert got["notes"].keys() <= ctx.notes.keys()


@pytest.mark.parametrize(("value", "shown"), [(None, None), (5, "<int>"), ("\ud800", "\\ud800"), (b"x", "<bytes>")])
def test_note_that_is_no_text_does_not_break_the_line(value, shown):
    ctx = Context()
    ctx.notes["a"] = value
    ctx.notes[7] = "x"
    assert logged(ctx=ctx)["notes"] == {"a": shown, "<int>": "x"}


@given(st.integers(0, 253402300798999))
def test_timestamp_is_rfc3339_in_milliseconds(ms):
    moment = datetime.fromisoformat(refused(ms / 1000)["ts"])
    assert moment.tzinfo == UTC
    assert round(moment.timestamp() * 1000) == ms


def test_timestamp_changes_with_the_second_only_where_it_must():
    log = LogBuffer()
    for now in (1.0, 1.5, 2.25, 1.75, 1.9999):
        log.write_refusal(now, bytes(16), "x")
    stamps = [json.loads(line)["ts"][17:-1] for line in log.take_batch().splitlines()]
    assert stamps == ["01.000", "01.500", "02.250", "01.750", "02.000"]


@pytest.mark.parametrize("now", [-1.0, float("nan"), float("inf"), 1e300])
def test_time_that_is_no_date_is_the_epoch(now):
    assert refused(now)["ts"] == "1970-01-01T00:00:00.000Z"


@given(st.ip_addresses())
def test_client_is_written_canonically(address):
    packed = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
    text = refused(client=packed)["client"]
    expected = getattr(address, "ipv4_mapped", None) or address
    assert ipaddress.ip_address(text) == expected
    assert text == str(expected) or "." in text


def test_batch_holds_lines_in_order_and_empties_the_buffer():
    log = LogBuffer()
    for i in range(500):
        log.write_refusal(i, bytes(16), "x")
    assert log.lines == 500
    batch = log.take_batch()
    assert [json.loads(line)["ts"][14:19] for line in batch.splitlines()] == [
        f"{i // 60:02}:{i % 60:02}" for i in range(500)
    ]
    assert (log.lines, log.size, log.take_batch()) == (0, 0, b"")


def test_full_buffer_drops_lines_and_counts_them():
    log = LogBuffer()
    total = 0
    while log.dropped == 0:
        log.write_refusal(0, bytes(16), "x" * 80)
        total += 1
    log.write_refusal(0, bytes(16), "x")
    assert log.dropped == 2
    assert log.lines == total - 1
    assert log_buffer_bytes_max // 2 < log.size <= log_buffer_bytes_max
    assert len(log.take_batch().splitlines()) == total - 1
    log.write_refusal(0, bytes(16), "x")
    assert log.lines == 1
