"""Beside hishel, another reading of RFC 9111 without I/O: who is answered from the store, and who makes the origin be asked.

Where the two differ there is a row that says why, with a case of it; any other difference fails.
"""

import uuid
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from types import SimpleNamespace

import hishel
import pytest
from hishel._core import _spec
from hypothesis import given, settings
from hypothesis import strategies as st

from caching.answers import assess
from caching.moments import NOW, date
from fastedge import Plan, Request
from fastedge.caching.reuse import use
from fastedge.caching.vary import is_match

CLOCK = SimpleNamespace(now=NOW, time=lambda: CLOCK.now)
OPTIONS = hishel.CacheOptions(shared=True, supported_methods=["GET"], allow_stale=False)
URL = "http://a.example/"


@dataclass(frozen=True)
class Case:
    """A request and its answer at NOW, and a second request `later_s`."""

    answer: dict[str, str]
    first: dict[str, str] = field(default_factory=dict)
    second: dict[str, str] = field(default_factory=dict)
    status: int = 200
    later_s: int = 1

    def says(self, directive):
        return directive in self.answer.get("cache-control", "")


@pytest.fixture(scope="module", autouse=True)
def clock():
    before, _spec.time = _spec.time, CLOCK
    yield
    _spec.time = before


def ours(case):
    """Whether the second request is answered from the store, without a word to the origin."""
    first, second = (Request(headers=fields, host="a.example") for fields in (case.first, case.second))
    found = assess(request=first, status=case.status, **{k.replace("-", "_"): v for k, v in case.answer.items()})
    if found.reason is not None or not is_match(found.vary, second, Plan()):
        return False
    return use(found, found.initial_age_s + case.later_s, second, Plan(), False) == "fresh"


def theirs(case):
    CLOCK.now = NOW
    first, second = (hishel.Request("GET", URL, hishel.Headers(fields)) for fields in (case.first, case.second))
    stored = hishel.CacheMiss(request=first, options=OPTIONS).next(
        hishel.Response(case.status, hishel.Headers(case.answer))
    )
    if not isinstance(stored, hishel.StoreAndUse):
        return False
    CLOCK.now += case.later_s
    entry = hishel.Entry(uuid.uuid4(), first, stored.response)
    return isinstance(hishel.IdleClient(options=OPTIONS).next(second, [entry]), hishel.FromCache)


FRESH = {"cache-control": "max-age=60"}

# What it is, when it may show, a case, and whether that is answered from the store here.
DIFFERENCES = [
    ("Age counts (§4.2.3); hishel looks at Date alone",
     lambda case: "age" in case.answer, Case({**FRESH, "age": "60"}), False),
    ("without a Date, or with one ahead of us, an answer ages from when it came (§4.2.3); hishel's then has no age",
     lambda case: "date" not in case.answer or parsedate_to_datetime(case.answer["date"]).timestamp() > NOW, Case(FRESH, later_s=99), False),
    ("a guess is a tenth of Date less Last-Modified and at most a day; hishel counts up to the moment of use, up to a week",
     lambda case: "last-modified" in case.answer,
     Case({"last-modified": date(-864_000 * 9), "date": date()}, later_s=90_000), False),
    ("max-age, min-fresh and max-stale of a request count (§5.2.1); hishel reads no-cache alone",
     lambda case: "max-" in case.second.get("cache-control", "") or "min-" in case.second.get("cache-control", ""),
     Case({**FRESH, "date": date()}, second={"cache-control": "max-age=0"}), False),
    ("Pragma: no-cache counts (§5.4)",
     lambda case: "pragma" in case.second, Case({**FRESH, "date": date()}, second={"pragma": "no-cache"}), False),
    ("no-store of a request counts (§5.2.1.5)",
     lambda case: "no-store" in case.first.get("cache-control", ""),
     Case({**FRESH, "date": date()}, first={"cache-control": "no-store"}), False),
    ("nothing with Set-Cookie is stored: stricter than §3, as such a response is mostly one person's",
     lambda case: "set-cookie" in case.answer, Case({**FRESH, "date": date(), "set-cookie": "a=1"}), False),
    ("a guess is not shared with others than the sender of a Cookie: stricter than §3, for the same reason",
     lambda case: "cookie" in case.first,
     Case({"last-modified": date(-9000), "date": date()}, first={"cookie": "a=1"}), False),
    ("a max-age that is no number leaves the response stale (§4.2.1); hishel goes on to Expires",
     lambda case: case.says("=x"), Case({"cache-control": "max-age=x", "expires": date(60), "date": date()}), False),
    ("must-understand overrules no-store for a status that is understood (§5.2.2.3)",
     lambda case: case.says("must-understand"),
     Case({"cache-control": "max-age=60, no-store, must-understand", "date": date()}), True),
    ("a part is never stored; nor is what has Content-Range",
     lambda case: "content-range" in case.answer, Case({**FRESH, "date": date(), "content-range": "bytes 0-1/2"}), False),
    ("429 and its like must not be stored (RFC 6585 §4)",
     lambda case: case.status in (428, 429, 431, 511), Case({**FRESH, "date": date()}, status=429), False),
    ("a field's codings are a set (§4.1 lets values be normalised)",
     lambda case: "accept-encoding" in case.first,
     Case({**FRESH, "date": date(), "vary": "accept-encoding"}, {"accept-encoding": "a, b"}, {"accept-encoding": "b,a"}), True),
    ("CDN-Cache-Control takes the place of Cache-Control (RFC 9213)",
     lambda case: "cdn-cache-control" in case.answer,
     Case({"cache-control": "no-store", "cdn-cache-control": "max-age=60", "date": date()}), True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("shows", "case", "sent"), [row[1:] for row in DIFFERENCES], ids=[row[0] for row in DIFFERENCES]
)
def test_difference_is_as_explained(shows, case, sent):
    assert shows(case)
    assert (ours(case), theirs(case)) == (sent, not sent)


SECONDS = st.sampled_from([0, 1, 30, 60, 90])
DIRECTIVES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "public",
                "private",
                "no-store",
                "no-cache",
                "must-revalidate",
                "proxy-revalidate",
                "foo",
                'private="x-a"',
                'no-cache="x-a"',
            ]
        ),
        st.builds("{}={}".format, st.sampled_from(["max-age", "s-maxage", "stale-if-error", "bar"]), SECONDS),
    ),
    max_size=4,
    unique_by=lambda directive: directive.partition("=")[0],
).map(", ".join)
OFFSETS = st.sampled_from([-90, -30, 0, 30, 90])


@st.composite
def cases(draw):
    answer = {"date": date(draw(st.sampled_from([-30, 0, 30])))}
    for name, value in [("cache-control", DIRECTIVES), ("expires", OFFSETS.map(date)), ("vary", st.sampled_from(["x-a", "*", "x-a, x-b"])),
                        ("set-cookie", st.just("a=1")), ("age", st.just("30")), ("last-modified", st.just(date(-600)))]:  # fmt: skip
        if draw(st.booleans()):
            answer[name] = draw(value)
    fields = st.fixed_dictionaries({}, optional={"x-a": st.sampled_from("12"), "authorization": st.just("x")})
    second = draw(fields)
    if draw(st.booleans()):
        second["cache-control"] = draw(st.sampled_from(["no-cache", "foo", "max-age=10", "max-stale"]))
    return Case(answer, draw(fields), second, draw(st.sampled_from([200, 302, 404, 500, 206, 304, 599])), draw(SECONDS))


@settings(max_examples=500)
@given(cases())
def test_any_case_has_one_answer_or_an_explained_difference(case):
    if not any(shows(case) for _, shows, *_ in DIFFERENCES):
        assert ours(case) == theirs(case)


def test_most_cases_need_no_explanation():
    plain = Case({**FRESH, "date": date()})
    assert [ours(replace(plain, later_s=later_s)) for later_s in (59, 60)] == [True, False]
    assert [theirs(replace(plain, later_s=later_s)) for later_s in (59, 60)] == [True, False]
