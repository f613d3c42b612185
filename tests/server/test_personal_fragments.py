"""Personal pages by those who try to break them: visitors, functions of a policy, fragments and the pages themselves."""

import base64
import gzip
import hmac
import json
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
import turbohtml
from exchange import Message, Origin, Peer, Scene
from exchange.cached import MINUTE, answer, get
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import wait_until

from fastedge.limits import edge_errors_max, fragments_asked_max, fragments_depth_max

HTML = "content-type: text/html; charset=utf-8"
PRIVATE = "cache-control: private"
SECRET = b"an HMAC secret of 32 bytes, just"
Said = tuple[str | bytes, ...]

POLICY = """
import sys, time
from urllib.parse import unquote
from fastedge import CONTINUE, Pipeline, Response
from fastedge.stages import *

def said(request, ctx):
    return unquote(request.headers.get("x-v", ""), errors="surrogateescape")

def pages(path, *slots, gzip=False, **options):
    return When(Match(path=[path]), Personalize(*slots, gzip=gzip, **options))

pipeline = Pipeline({stages})
"""


@dataclass
class Shop:
    """An origin: what each path is answered with, and what it was asked."""

    scene: Scene
    answers: dict[str, Said | Callable[[Peer], None]] = field(default_factory=dict)
    requests: list[Message] = field(default_factory=list)

    def serve(self, stages: str) -> Peer:
        self.scene.policy = POLICY.format(stages=stages)
        self.scene.origin.serve(self._answer)
        return self.scene.client()

    @property
    def asked(self) -> Counter[str]:
        return Counter(request.target for request in self.requests)

    def requests_for(self, target: str) -> list[Message]:
        return [request for request in self.requests if request.target == target]

    def _answer(self, peer: Peer, request: Message) -> None:
        self.requests.append(request)
        said = self.answers.get(request.target, self.answers.get(request.target.partition("?")[0], NOT_FOUND))
        if callable(said):
            said(peer)
        else:
            peer.send(*said)


NOT_FOUND = answer(MINUTE, status="404 Not Found", body=b"gone")


def html(body: bytes, *fields: str) -> Said:
    return answer(HTML, *(fields or (MINUTE,)), body=body)


@pytest.fixture
def shop(scene: Scene) -> Shop:
    return Shop(scene)


def errors(message: Message) -> list[tuple[str, str]]:
    """(slot, reason) of each member of Edge-Error."""
    members = [] if message.get("edge-error") is None else str(message.get("edge-error")).split(", personalize")
    pairs = [member.partition(';slot="')[2].partition('"') for member in members]
    return [(name, rest.partition("reason=")[2]) for name, _, rest in pairs]


# --- what visitors say ------------------------------------------------------------------------------------------------

CONTEXTS = (
    b'<!doctype html><html><head><title>{{edge.v}}</title></head><body class="{{edge.v}}"><p>{{edge.v}}</p>'
    b'<a href=\'{{edge.v}}\'>a</a><a href="/x/{{edge.v}}/y?q={{edge.v}}">b</a><img src={{edge.v}} alt="{{edge.v}}">'
    b"<script>var x = '{{edge.v}}'</script><style>.{{edge.v}}</style><i onclick=\"{{edge.v}}\">c</i><!-- {{edge.v}} -->"
    b'<textarea>{{edge.v}}</textarea><iframe src="{{edge.v}}"></iframe><!-- edge:v -->d<!-- /edge:v -->'
    b"<div id=inner>1</div><div id=replace>2</div><div id=before>3</div><div id=after>4</div><div id=prepend>5</div>"
    b"<div id=append>6</div><div id=attribute>7</div><a id=link>8</a><em data-edge=v>9</em><p>end</p></body></html>"
)
EVERYWHERE = """pages("/", Slot("v", {source}, fallback="none"), *[
    Slot("v", {source}, at="#" + action, action=action, fallback="none")
    for action in ("inner", "replace", "before", "after", "prepend", "append")
], Slot("v", {source}, at="#attribute", action="set_attribute", attribute="title", fallback="none"),
Slot("v", {source}, at="#link", action="set_attribute", attribute="href", fallback="none"), gzip={gzip})"""
EVIL = [
    "<script>alert(1)</script>", "</title><script>x</script>", "</textarea><b>", '" onclick="x', "' onclick='x", "> <b a=",
    "--><b>", "javascript:alert(1)", "JaVa\tScript:x", " javascript:x", "\x01javascript:x", "data:text/html,<b>", "//evil.example/",
    "/\\evil.example", "vbscript:x", "&quot;><b>", "`", "{{edge.v}}", "<esi:include src='/secret'/>", "a\0b", "\r\nx: y", "Zoë",
    "\udcff<b>", "..", ".", "%2e%2e", "<!-- /edge:v --><b>", "x" * 8000, "</script><b>",
]  # fmt: skip


def shape(page: bytes) -> list[tuple[str, list[str]]]:
    """Elements and the names of their attributes, in order."""
    document = turbohtml.parse(page.decode("utf-8", "replace"))
    return [(element.tag, sorted(element.attrs)) for element in document.select("*")]


def check_harmless(page: bytes, expected: bytes) -> None:
    """Everything that the page has beside its text is what it has for a harmless value, too."""
    assert shape(page) == shape(expected)
    document = turbohtml.parse(page.decode("utf-8", "replace"))
    for name in ("href", "src"):
        for element in document.select(f"[{name}]"):
            url = str(element.attr(name)).strip("".join(map(chr, range(33))))
            assert ":" not in url.partition("/")[0] and not (element.tag == "iframe" and url.startswith("//")), url
    for tag in ("script", "style"):
        assert "{{edge.v}}" in str(document.select(tag)[0].text)
    assert document.select("i")[0].attr("onclick") == "{{edge.v}}"
    assert page.endswith(b"<p>end</p></body></html>")


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_no_value_of_a_visitor_is_more_than_text(shop: Shop, coding: str) -> None:
    shop.answers["/"] = html(CONTEXTS)
    client = shop.serve(EVERYWHERE.format(source="said", gzip=True))

    def shown(value: str) -> bytes:
        said = quote(value, errors="surrogateescape")
        page = get(client, f"x-v: {said}", f"accept-encoding: {coding}")
        assert page.status == 200
        return gzip.decompress(page.body) if coding == "gzip" else page.body

    expected = shown("harmless")
    assert expected.count(b"harmless") > 15
    for value in EVIL:
        check_harmless(shown(value), expected)
    assert shop.asked == {"/": 1}


def test_no_cookie_is_more_than_text(shop: Shop) -> None:
    shop.answers["/"] = html(CONTEXTS)
    client = shop.serve(EVERYWHERE.format(source='Cookie("v", bytes_max=8192)', gzip=False))
    expected = get(client, "cookie: v=harmless").body
    for value in (value.replace(";", "") for value in EVIL if value.isprintable()):
        check_harmless(get(client, f"cookie: v={value}").body, expected)
    check_harmless(get(client, "cookie: v=\xff<b>").body, expected)  # no UTF-8
    check_harmless(get(client, "cookie: v=" + "<" * 8193).body, expected)
    for value in (b"a\0b", b"a\nb"):
        broken = shop.scene.client().send(b"GET / HTTP/1.1\r\nhost: a.example\r\ncookie: v=" + value + b"\r\n\r\n")
        assert broken.message().status == 400


def token(**changes: object) -> str:
    def b64(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"iss": "https://id.example", "aud": "shop", "sub": "ann", "exp": time.time() + 600, **changes}
    signed = b64(b'{"alg":"HS256"}') + b"." + b64(json.dumps(claims).encode())
    return (signed + b"." + b64(hmac.digest(SECRET, signed, "sha256"))).decode()


GATE = 'JwtAuth(keys="shop", issuer="https://id.example", audience="shop")'


@pytest.fixture
def guarded(shop: Shop, tmp_path: Any) -> Shop:
    (tmp_path / "secret").write_bytes(SECRET)
    shop.scene.more = '[keys.shop]\nsecret_file = "secret"\n'
    return shop


def test_no_claim_is_more_than_text(guarded: Shop) -> None:
    guarded.answers["/"] = html(CONTEXTS)
    client = guarded.serve(GATE + ", " + EVERYWHERE.format(source='Claim("name")', gzip=False))
    expected = get(client, f"authorization: Bearer {token(name='harmless')}").body
    for value in (*EVIL[:-2], "\ud800", ["<b>"], {"<b>": 1}, None, True, 1e308, -1):
        page = get(client, f"authorization: Bearer {token(name=value)}")
        if page.status == 200:
            check_harmless(page.body, expected)
        else:
            assert page.status == 401 and value in ("\ud800", "\udcff<b>")


def test_what_a_visitor_says_is_never_read_as_esi(shop: Shop) -> None:
    shop.answers["/"] = html(b"<esi:vars>$(HTTP_COOKIE{v})</esi:vars><p data-edge=v>?</p><p id=raw>?</p>")
    shop.answers["/secret"] = html(b"secret")
    client = shop.serve('pages("/", Slot("v", said), Slot("raw", said, at="#raw", raw=True), esi=True)')
    tag = "<esi:include src='/secret'/>"
    page = get(client, f"cookie: v={tag}", f"x-v: {quote(tag)}").body
    assert page.count(b"&lt;esi:include") == 2 and page.count(tag.encode()) == 1  # raw, by name: as it is
    assert shop.asked == {"/": 1}


def test_esi_of_a_fragment_is_its_own_urls_business(shop: Shop) -> None:
    shop.answers["/"] = html(b"<esi:include src='/plain'/><esi:include src='/nested'/>")
    shop.answers["/plain"] = html(b"[<esi:include src='/leaf'/>]")
    shop.answers["/nested"] = html(b"(<esi:include src='/leaf'/>)")
    shop.answers["/leaf"] = html(b"leaf")
    client = shop.serve('pages("/", esi=True), pages("/nested", esi=True)')
    for _ in range(2):
        assert get(client).body == b"[<esi:include src='/leaf'/>](leaf)"
    assert shop.asked["/leaf"] == 1


# --- functions of a policy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "shown", "why"),
    [
        ("lambda request, ctx: 1 / 0", b"none", "failed"),
        ("lambda request, ctx: sys.exit()", b"none", "failed"),
        ("lambda request, ctx: 7", b"none", "failed"),
        ("lambda request, ctx: [b'x']", b"none", "failed"),
        ("lambda request, ctx: bytearray(b'x')", b"none", "failed"),
        ("lambda request, ctx: (_ for _ in ())", b"none", "failed"),
        ("lambda request, ctx: setattr(ctx.plan, 'ttl_s', 9)", b"none", "failed"),
        ("lambda request, ctx: setattr(ctx.plan, 'origin', 'other')", b"none", "failed"),
        ("lambda request, ctx: said.__globals__", b"none", "failed"),
        ("lambda request, ctx: (lambda f: f(f))(lambda f: f(f))", b"none", "failed"),
        ("lambda request, ctx: 'x' * (1 << 20)", b"none", "refused"),
        ("lambda request, ctx: None", b"none", None),
        ("lambda request, ctx: ''", b"", None),
        ("lambda request, ctx: time.sleep(0.06)", b"none", None),
        ("lambda request, ctx: str(dict(ctx.claims))", b"{}", None),
    ],
)
def test_function_that_fails_leaves_a_whole_page(shop: Shop, function: str, shown: bytes, why: str | None) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>?</p><p>end</p>")
    client = shop.serve(f'pages("/", Slot("v", {function}, fallback="none"))')
    for _ in range(2):
        page = get(client)
        assert page.status == 200 and page.body == b"<p data-edge=v>%b</p><p>end</p>" % shown
        assert errors(page) == ([] if why is None else [("v", why)])
    assert shop.asked == {"/": 1}


def test_function_that_always_fails_does_not_flood_the_error_log(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>?</p>")
    client = shop.serve('pages("/", Slot("v", lambda request, ctx: 1 / 0))')
    for _ in range(60):
        get(client)
    told = [record.getMessage() for record in caplog.records if "slot 'v'" in record.getMessage()]
    assert 0 < len(told) <= 40 and "ZeroDivisionError" in told[0]


def test_page_of_a_stage_is_its_own(shop: Shop) -> None:
    own = 'Response(200, {"content-type": "text/html"}, "<p data-edge=v>own</p>")'
    client = shop.serve(
        f'pages("*", Slot("v", said, fallback="none")), type("Own", (), {{"on_request": lambda self, request, ctx: {own}}})()'
    )
    page = get(client)
    assert page.body == b"<p data-edge=v>own</p>" and page.get("etag") is None


# --- where a page can lead --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("src", "target"),
    [
        ("/a", "/a"),
        ("/a#b", "/a"),
        ("a?b=1", "/dir/a?b=1"),
        ("../a", "/a"),
        ("http://a.example/a", "/a"),
        ("//a.example/a", "/a"),
        ("/a b&#10;c", "/a%20b%0Ac"),
        ("/&#xfc;", "/%C3%BC"),
        ("/a$(HTTP_COOKIE{v})b", "/a%3F%23%2Fb"),
        ("/a&#13;&#10;x: y", "/a%0D%0Ax:%20y"),
        ("//evil.example/a", None),
        ("http://evil.example/", None),
        ("https://a.example/", None),
        ("http://a.example:81/", None),
        ("http://a.example@evil.example/", None),
        ("http://127.0.0.1:8081/v1/status", None),
        ("unix:/run/x", None),
        ("file:///etc/passwd", None),
        ("javascript:x", None),
        ("/\\evil.example", None),
        ("\\\\evil.example\\a", None),
        ("http://[::1", None),
        ("//[x]/", None),
        ("/a/../b", None),
        ("/a/%2e%2E/b", None),
        ("/a/..;x/b", None),
        ("/a%00", None),
        ("/a%zz", None),
        ("/a&#0;", "/a%EF%BF%BD"),
        ("/../../a", None),
        ("/x/$(QUERY_STRING{up})/b", None),
        ("/" + "x" * 2047, "/" + "x" * 2047),
        ("y" * 2046, None),
    ],
)
def test_include_leads_to_the_same_site_by_a_path_that_a_client_may_ask_for(
    shop: Shop, src: str, target: str | None
) -> None:
    shop.answers["/dir/page"] = html(f'<esi:include src="{src}"/>!'.encode())
    if target is not None:
        shop.answers[target] = html(b"got")
    client = shop.serve('pages("/dir/page", esi=True)')
    page = get(client, "cookie: v=?#/", target="/dir/page?up=..%2f..")
    assert page.status == 200 and page.body == (b"!" if target is None else b"got!")
    assert [request.target for request in shop.requests] == ["/dir/page?up=..%2f.."] + ([target] if target else [])
    assert all(request.get("host") == "a.example" for request in shop.requests)
    assert [why for _, why in errors(page)] == ([] if target else ["url"])


def test_values_of_an_include_stay_in_their_component(shop: Shop) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>?</p>")
    client = shop.serve('pages("/", Slot("v", Include("/f/{v}/x", v=said), raw=True))')
    for value in ("a/../b", "..", "a/..", "../x", "..;a/b", "\0", "a\0b", "..\\", "%2e%2e/a"):
        get(client, f"x-v: {quote(value)}")
    get(client, "x-v: " + quote("a/b?c#d"))
    assert set(shop.asked) == {"/", "/f/%252e%252e%2Fa/x", "/f/a%2Fb%3Fc%23d/x"}


def test_fragment_sees_what_the_client_may_say_and_nothing_else(shop: Shop) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>?</p>")
    shop.answers["/outer"] = html(b"<p data-edge=v>?</p>", PRIVATE)
    shop.answers["/f"] = html(b"f", PRIVATE)
    client = shop.serve(
        'pages("/", Slot("v", Include("/outer"), raw=True)), pages("/outer", Slot("v", Include("/f"), raw=True))'
    )
    get(
        client,
        "connection: x-hop, keep-alive",
        "x-hop: 1",
        "te: trailers",
        "keep-alive: 5",
        "proxy-authorization: x",
        "edge-secret: 1",
        "x-forwarded-for: 9.9.9.9",
        "x-forwarded-host: evil.example",
        "forwarded: for=9.9.9.9",
        "x-own: 1",
        "cookie: a=1",
    )
    page, *inside = shop.requests
    assert [request.target for request in inside] == ["/outer", "/f"]
    for request in inside:
        for name in ("x-hop", "te", "keep-alive", "proxy-authorization", "edge-secret", "content-length"):
            assert request.get(name) is None, name
        for name in ("host", "x-own", "cookie", "x-forwarded-for", "x-forwarded-host", "forwarded", "via", "cdn-loop"):
            assert request.get(name) == page.get(name) is not None, name


def test_page_of_a_post_asks_for_its_fragments_by_get(shop: Shop) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>?</p>", PRIVATE)
    shop.answers["/f"] = html(b"f")
    client = shop.serve('pages("/", Slot("v", Include("/f"), raw=True))')
    client.send("POST / HTTP/1.1", "host: a.example", "content-length: 3", "content-type: a/b", b"abc")
    assert client.message().body == b"<p data-edge=v>f</p>"
    client.send("POST / HTTP/1.1", "host: a.example", "transfer-encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n")
    assert client.message().body == b"<p data-edge=v>f</p>"
    assert [request.start for request in shop.requests] == ["POST / HTTP/1.1", "GET /f HTTP/1.1", "POST / HTTP/1.1"]
    assert shop.requests[1].framing == "none" and shop.requests[1].get("content-type") is None


# --- fragments that will not do ---------------------------------------------------------------------------------------


def break_off(peer: Peer) -> None:
    peer.send("HTTP/1.1 200 OK", MINUTE, "content-length: 100", b"half")
    peer.close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(status="500 Internal Server Error"), "status"),
        (answer("location: http://evil.example/", status="302 Found"), "status"),
        (answer("content-range: bytes 0-3/9", status="206 Partial Content"), "status"),
        (("HTTP/1.1 204 No Content",), "status"),
        (("HTTP/1.1 304 Not Modified",), "status"),
        (break_off, "origin_error"),
        (lambda peer: peer.reset(), "origin_error"),
        (lambda peer: time.sleep(0.3), "timeout"),
        (html(gzip.compress(bytes(10_000_000)), MINUTE, "content-encoding: gzip"), "encoding"),
        (html(gzip.compress(b"x")[:-3], MINUTE, "content-encoding: gzip"), "encoding"),
        (html(gzip.compress(gzip.compress(b"deep")), MINUTE, "content-encoding: gzip, gzip"), b"deep"),
        (html(b"x", MINUTE, "content-encoding: compress"), "encoding"),
        (html(b"a\0\xff\xfeb"), b"a\0\xff\xfeb"),
        (answer(MINUTE, "content-type: text/html; charset=utf-16", body="é".encode("utf-16")), "é".encode("utf-16")),
        (html(b"<div><b></p><!--"), b"<div><b></p><!--"),  # raw, by name
        (html(b""), b""),
    ],
)
def test_fragment_that_will_not_do_leaves_a_whole_page(
    shop: Shop, said: Said | Callable[[Peer], None], why: str | bytes
) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>own</p><p>end</p>")
    shop.answers["/f"] = said
    client = shop.serve('pages("/", Slot("v", Include("/f"), raw=True), wait_ms=100)')
    for _ in range(2):
        page = get(client)
        assert page.status == 200
        shown = b"own" if isinstance(why, str) else why
        assert page.body == b"<p data-edge=v>" + shown + b"</p><p>end</p>"
        assert errors(page) == ([("v", why)] if isinstance(why, str) else [])


def test_origin_that_refuses_connections_leaves_a_whole_page(shop: Shop) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>own</p>")
    shop.answers["/f"] = html(b"f", PRIVATE)
    client = shop.serve('pages("/", Slot("v", Include("/f"), raw=True))')
    assert get(client).body == b"<p data-edge=v>f</p>"
    shop.scene.origin.close()
    page = get(client)
    assert page.body == b"<p data-edge=v>own</p>" and errors(page) == [("v", "origin_error")]


def test_cookies_that_a_fragment_sets_are_not_the_pages(shop: Shop) -> None:
    shop.answers["/"] = html(b"<p data-edge=v>?</p>")
    shop.answers["/f"] = html(b"f", MINUTE, "set-cookie: s=1")
    client = shop.serve('pages("/", Slot("v", Include("/f"), raw=True))')
    page = get(client)
    assert page.body == b"<p data-edge=v>f</p>" and page.get("set-cookie") is None
    get(client)
    assert shop.asked["/f"] == 2  # it is not stored


# --- how many ---------------------------------------------------------------------------------------------------------


def test_loops_end(shop: Shop) -> None:
    slot = b"<p data-edge=v>?</p>"
    shop.answers = {
        "/a": html(b"a" + slot),
        "/b": html(b"b" + slot),
        "/q": html(b"<esi:include src='?x=$(QUERY_STRING)'/>!"),
    }
    client = shop.serve(
        'pages("/a", Slot("v", Include("/b"), raw=True)), pages("/b", Slot("v", Include("/a"), raw=True)), '
        'pages("/q*", esi=True)'
    )
    page = get(client, target="/a")
    assert page.body.count(b"data-edge") == 2 and errors(page) == [("v", "loop")]
    page = get(client, target="/q?x=1")
    assert page.status == 200 and page.body == b"!" * (fragments_depth_max + 1) and errors(page)[0][1] == "loop"


def test_pages_inside_of_pages_down_to_the_bound(shop: Shop) -> None:
    shop.answers = {f"/{depth}": html(b"%d<p data-edge=v%d>?</p>" % (depth, depth)) for depth in range(9)}
    client = shop.serve(
        ", ".join(f'pages("/{depth}", Slot("v{depth}", Include("/{depth + 1}"), raw=True))' for depth in range(9))
    )
    page = get(client, target="/0")
    assert errors(page) == [(f"v{fragments_depth_max}", "loop")]
    assert set(shop.asked) == {f"/{depth}" for depth in range(fragments_depth_max + 1)}


@pytest.mark.parametrize("includes", [fragments_asked_max, fragments_asked_max + 1, 1000])
def test_fragments_up_to_the_bound(shop: Shop, includes: int) -> None:
    shop.answers["/"] = html(
        b"".join(b"<esi:include src='/f?%d&%b'/>" % (n, b"x" * 400) for n in range(includes)) + b"end"
    )
    shop.answers["/f"] = html(b"f", PRIVATE)
    client = shop.serve('pages("/", esi=True, wait_ms=5000)')
    page = get(client)
    shown = min(includes, fragments_asked_max)
    assert page.body == b"f" * shown + b"end"
    assert len(shop.requests) == 1 + shown
    assert [why for _, why in errors(page)] == ["too_many"] * min(includes - shown, edge_errors_max)
    assert len(page.get("edge-error") or "") < 4096


@pytest.mark.parametrize("sharing", [MINUTE, PRIVATE])
def test_same_url_many_times_is_asked_once(shop: Shop, sharing: str) -> None:
    shop.answers["/"] = html(b"<esi:include src='/f'/>" * 10)
    shop.answers["/f"] = html(b"f", sharing)
    assert get(shop.serve('pages("/", esi=True)')).body == b"f" * 10
    assert shop.asked["/f"] == 1


def test_visitors_at_once_share_the_page_and_its_fragment(shop: Shop) -> None:
    def slowly(peer: Peer) -> None:
        time.sleep(0.1)
        peer.send(*html(b"f"))

    shop.answers["/"] = html(b"<p data-edge=v>?</p>{{edge.name}}")
    shop.answers["/f"] = slowly
    first = shop.serve('pages("/", Slot("v", Include("/f"), raw=True), Slot("name", said), wait_ms=5000)')
    clients = [first, *(shop.scene.client() for _ in range(49))]
    for number, client in enumerate(clients):
        client.send("GET / HTTP/1.1", "host: a.example", f"x-v: {number}")
    for number, client in enumerate(clients):
        assert client.message().body == b"<p data-edge=v>f</p>%d" % number
    assert shop.asked == {"/": 1, "/f": 1}


# --- fragments in their own right -------------------------------------------------------------------------------------


def test_fragment_has_its_own_tags_and_rules(shop: Shop) -> None:
    numbers = count()
    shop.answers["/"] = html(b"<p data-edge=v>?</p>", MINUTE, "cache-tag: page")
    shop.answers["/f"] = lambda peer: peer.send(*html(b"%d" % next(numbers), "cache-tag: cart", "x-kept: 1"))
    client = shop.serve(
        'pages("/", Slot("v", Include("/f"), raw=True)), When(Match(path=["/f"]), CacheRules(default_ttl_s=60))'
    )
    assert get(client).body == get(client).body == b"<p data-edge=v>0</p>"
    shop.scene.edge.call(lambda: shop.scene.edge.worker.front.purges.purge_names(b"tag", [b"cart"], False))
    assert get(client).body == get(client).body == b"<p data-edge=v>1</p>"
    assert get(client, target="/f").body == b"1"
    assert shop.asked == {"/": 1, "/f": 2}


def test_fragment_behind_a_gate_is_the_visitors_own(guarded: Shop) -> None:
    guarded.answers["/"] = html(b"<p data-edge=v>own</p>")
    guarded.answers["/f"] = lambda peer: peer.send(*html(b"for all who pass"))
    guarded.answers["/g"] = lambda peer: peer.send(*html(guarded.requests[-1].get("authorization").encode()))
    client = guarded.serve(
        'pages("/", Slot("v", Include("/f"), raw=True)), pages("/mine", Slot("v", Include("/g"), raw=True)), '
        f'When(Match(path=["/f"]), {GATE})'
    )
    guarded.answers["/mine"] = html(b"<p data-edge=v>own</p>")
    nobody = get(client)
    assert nobody.body == b"<p data-edge=v>own</p>" and errors(nobody) == [("v", "status")]
    assert get(client, f"authorization: Bearer {token()}x").body == b"<p data-edge=v>own</p>"
    assert guarded.asked["/f"] == 0
    assert get(client, f"authorization: Bearer {token()}").body == b"<p data-edge=v>for all who pass</p>"
    assert guarded.requests_for("/f")[0].get("authorization") is None
    assert get(client).body == b"<p data-edge=v>own</p>"
    for name in ("ann", "bob"):
        assert (
            get(client, f"authorization: Bearer {name}", target="/mine").body
            == b"<p data-edge=v>Bearer %b</p>" % name.encode()
        )


def test_fragment_of_another_origin(shop: Shop, scene: Scene) -> None:
    other = Shop(scene, {"/f": html(b"elsewhere")})
    origin = Origin()
    try:
        origin.serve(other._answer)
        scene.more = f'[origins.other]\nservers = ["{origin.url}"]\n'
        scene.server = 'default_origin = "main"'
        shop.answers["/"] = html(b"<p data-edge=v>?</p>")
        client = shop.serve(
            'pages("/", Slot("v", Include("/f"), raw=True)), When(Match(path=["/f"]), GeoRoute({"US": "main"}, default="other"))'
        )
        assert get(client).body == b"<p data-edge=v>elsewhere</p>"
        assert shop.asked == {"/": 1} and other.asked == {"/f": 1}
    finally:
        origin.close()


def test_page_is_one_representation_with_its_fragments(shop: Shop) -> None:
    shop.answers["/"] = html(
        b"<p data-edge=v>?</p>", MINUTE, "last-modified: Thu, 01 Jan 2026 00:00:00 GMT", 'etag: "o"'
    )
    shop.answers["/f"] = html(b"one", PRIVATE, 'etag: "f"', "vary: x-f")
    client = shop.serve('pages("/", Slot("v", Include("/f"), raw=True))')
    page = get(client)
    etag = page.get("etag")
    assert etag not in (None, '"o"', '"f"') and page.get("cache-control") == "private, no-cache"
    assert page.get("last-modified") is None and page.get("age") is None
    head = client.send("HEAD / HTTP/1.1", "host: a.example").message(head=True)
    assert [field for field in head.fields if field[0].lower() != "date"] == [
        field for field in get(client).fields if field[0].lower() != "date"
    ]
    assert get(client, f"if-none-match: {etag}").status == 304
    assert get(client, "range: bytes=0-1", f"if-range: {etag}").body == page.body
    for foreign in ('if-none-match: "o"', 'if-none-match: "f"', "if-modified-since: Thu, 01 Jan 2026 00:00:00 GMT"):
        assert get(client, foreign).status == 200
    shop.answers["/f"] = html(b"two", PRIVATE)
    again = get(client, f"if-none-match: {etag}")
    assert again.status == 200 and again.body == b"<p data-edge=v>two</p>" and again.get("etag") != etag
    assert shop.asked["/"] == 1


def test_reload_and_drain_while_a_fragment_is_awaited(scene: Scene, run_edge: Callable[..., Any]) -> None:
    release = threading.Event()

    def slowly(peer: Peer) -> None:
        release.wait(5)
        peer.send(*html(b"f", PRIVATE))

    shop = Shop(scene, {"/": html(b"<p data-edge=v>?</p>"), "/f": slowly})
    scene.origin.serve(shop._answer)
    text = 'pages("/", Slot("v", Include("/f"), raw=True, fallback="none"), wait_ms=5000)'
    more = f'[origins.main]\nservers = ["{scene.origin.url}"]\n'
    edge = run_edge(policy=POLICY.format(stages=text), more=more, workers=1)

    def connect() -> Peer:
        return Peer(socket.create_connection(("127.0.0.1", edge.port), 5))

    def ask() -> Peer:
        client = connect()
        asked = shop.asked["/f"]
        client.send("GET / HTTP/1.1", "host: a.example")
        wait_until(lambda: shop.asked["/f"] > asked, "the fragment is asked for")
        return client

    with ask() as client:
        edge.write(POLICY.format(stages='pages("/", Slot("v", lambda request, ctx: "new"))'))
        assert edge.reload()[0] == 200
        with connect() as other:
            assert get(other).body == b"<p data-edge=v>new</p>"
        release.set()
        assert client.message().body == b"<p data-edge=v>f</p>"
    release.clear()
    edge.write(POLICY.format(stages=text))
    assert edge.reload()[0] == 200
    with ask() as client:
        edge.signal(signal.SIGTERM)
        edge.wait_for_line("stopping")
        release.set()
        assert client.message().body == b"<p data-edge=v>f</p>"
        client.expect_end()
    assert edge.process.wait(5) == 0


# --- ESI --------------------------------------------------------------------------------------------------------------


def test_alternatives_and_patience(shop: Shop) -> None:
    release = threading.Event()
    shop.answers = {
        "/": html(
            b"<esi:include src='/none' alt='/b'/><esi:include src='/none' alt='/none?2' onerror='continue'/>"
            b"<esi:try><esi:attempt>A<esi:include src='/slow' maxwait='50'/></esi:attempt><esi:except>E</esi:except></esi:try>"
            b"<esi:include src='//[' alt='//['/><esi:include src='http://evil.example/' alt='/b'/>end"
        ),
        "/b": html(b"B"),
        "/slow": lambda peer: (release.wait(5), peer.send(*html(b"late")))[0] and None,
    }  # fmt: skip
    client = shop.serve('pages("/", esi=True, wait_ms=5000)')
    started = time.monotonic()
    page = get(client)
    assert page.body == b"BEBend"
    assert time.monotonic() - started < 2
    assert {why for _, why in errors(page)} >= {"status", "timeout", "url"}
    release.set()
    shop.scene.edge.until(lambda: len(shop.scene.edge.worker.front.flights) == 0)


def test_tags_split_over_pieces_of_a_compressed_body(shop: Shop) -> None:
    packed = gzip.compress(
        b"<p>" + b"x" * 3000 + b"<esi:include src='/f'/><esi:vars>$(HTTP_COOKIE{a}|'none')</esi:vars>"
    )

    def drip(peer: Peer) -> None:
        peer.send("HTTP/1.1 200 OK", HTML, MINUTE, "content-encoding: gzip", "transfer-encoding: chunked", b"")
        for at in range(0, len(packed), 7):
            piece = packed[at : at + 7]
            peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        peer.send(b"0\r\n\r\n")

    shop.answers = {"/": drip, "/f": html(b"f")}
    client = shop.serve('pages("/", esi=True, gzip=True)')
    expected = b"<p>" + b"x" * 3000 + b"f&lt;b&gt;"
    for _ in range(2):
        assert get(client, "cookie: a=<b>").body == expected
        assert gzip.decompress(get(client, "cookie: a=<b>", "accept-encoding: gzip").body) == expected


@dataclass
class Tree:
    """A page as its author sees it: what is shown, and what is asked for, each read from the tree and from nothing else."""

    known: dict[str, str | None] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    def shown(self, nodes: list[Any]) -> str:
        return "".join(map(self._node, nodes))

    def _node(self, node: Any) -> str:
        kind, *rest = node
        if kind == "text":
            return str(rest[0])
        if kind == "include":
            return self._include(*rest)
        if kind == "choose":
            return self.shown(next((branch for holds, branch in rest[0] if holds), []))
        try:
            return self.shown(rest[0])
        except LookupError:
            return self.shown(rest[1])

    def _include(self, path: str, continues: bool) -> str:
        if path not in self.known:
            self.wanted.add(path)
            return ""
        found = self.known[path]
        if found is None and not continues:
            raise LookupError(path)
        return found or ""


def asked_and_shown(nodes: list[Any]) -> tuple[set[str], str]:
    """Round by round: what is not known counts as there, until it proves not to be."""
    known: dict[str, str | None] = {}
    while True:
        tree = Tree(known)
        try:
            shown = tree.shown(nodes)
        except LookupError:  # outside of any attempt: nothing
            shown = Tree(known, tree.wanted).shown(relaxed(nodes))
        if not tree.wanted:
            return set(known), shown
        known = known | {path: f"[{path}]" if path.startswith("/ok") else None for path in tree.wanted}


def relaxed(nodes: list[Any], attempted: bool = False) -> list[Any]:
    """Includes outside of attempts never fail."""
    made: list[Any] = []
    for kind, *rest in nodes:
        if kind == "include" and not attempted:
            made.append((kind, rest[0], True))
        elif kind == "choose":
            made.append((kind, [(holds, relaxed(branch, attempted)) for holds, branch in rest[0]]))
        elif kind == "try":
            made.append((kind, relaxed(rest[0], True), relaxed(rest[1], attempted)))
        else:
            made.append((kind, *rest))
    return made


def written(nodes: list[Any]) -> str:
    def one(node: Any) -> str:
        kind, *rest = node
        if kind == "text":
            return str(rest[0])
        if kind == "include":
            onerror = " onerror='continue'" if rest[1] else ""
            return f"<esi:include src='{rest[0]}'{onerror}/>"
        if kind == "choose":
            branches = "".join(
                f"<esi:when test='1=={1 if holds else 2}'>{written(branch)}</esi:when>" for holds, branch in rest[0]
            )
            return f"<esi:choose>{branches}</esi:choose>"
        return f"<esi:try><esi:attempt>{written(rest[0])}</esi:attempt><esi:except>{written(rest[1])}</esi:except></esi:try>"

    return "".join(map(one, nodes))


LEAVES = st.one_of(
    st.tuples(st.just("text"), st.sampled_from("abc")),
    st.tuples(
        st.just("include"), st.sampled_from([f"/{word}{n}" for word in ("ok", "bad") for n in range(4)]), st.booleans()
    ),
)
NODES = st.recursive(
    st.lists(LEAVES, max_size=3),
    lambda inner: st.lists(
        st.one_of(
            LEAVES,
            st.tuples(st.just("choose"), st.lists(st.tuples(st.booleans(), inner), min_size=1, max_size=3)),
            st.tuples(st.just("try"), inner, inner),
        ),
        max_size=4,
    ),
    max_leaves=12,
)


@pytest.fixture
def esi_shop(shop: Shop) -> Iterator[tuple[Shop, Peer]]:
    yield shop, shop.serve('pages("/", esi=True, wait_ms=5000)')


@given(NODES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_asked_is_what_the_page_comes_to_need(esi_shop: tuple[Shop, Peer], nodes: list[Any]) -> None:
    shop, client = esi_shop
    shop.requests.clear()
    shop.answers = {f"/ok{n}": html(b"[/ok%d]" % n, PRIVATE) for n in range(4)}
    shop.answers |= {f"/bad{n}": answer(PRIVATE, status="404 Not Found") for n in range(4)}
    shop.answers["/"] = html(written(nodes).encode() or b" ", PRIVATE)
    page = get(client)
    asked, shown = asked_and_shown(relaxed(nodes))
    assert page.body.decode() == (shown if written(nodes) else " ")
    assert set(shop.asked) - {"/"} == asked


# --- pages that are none ----------------------------------------------------------------------------------------------

SOUP = [
    "<p>", "</p>", "<b>", "</b>", "<div id=s>", "</div>", "<a href='/x'>", "</a>", "<table>", "<td>", "</table>", "<svg>", "</svg>",
    "<script>", "</script>", "<!--", "-->", "<textarea>", "</textarea>", "<title>", "</title>", "<select>", "<option>", "</select>",
    "<li>", "<ul>", "</ul>", "<template>", "</template>", "{{edge.v}}", "<i title='{{edge.v}}'>", "<a href={{edge.v}}>", "<img src='/{{edge.v}}'>",
    "<!-- edge:v -->", "<!-- /edge:v -->", "<em data-edge=v>", "</em>", "text", "&amp;", "<", ">", "'", '"', "\0", "é", "<style>", "</style>",
    "<br>", "<p class='", "'>", "<noscript>", "</noscript>", "<math><mi>", "</mi></math>", "<frameset>", "<iframe>", "</iframe>",
]  # fmt: skip


@pytest.fixture
def soup_shop(shop: Shop) -> Iterator[tuple[Shop, Peer]]:
    yield shop, shop.serve('pages("/", Slot("v", said), Slot("s", said, at="#s", action="append"))')


@given(st.lists(st.sampled_from(SOUP), max_size=20).map("".join), st.sampled_from(EVIL[:12]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_soup_has_no_element_that_a_value_brought(soup_shop: tuple[Shop, Peer], page: str, value: str) -> None:
    shop, client = soup_shop
    shop.answers["/"] = html(page.encode() or b" ", PRIVATE)
    made, harmless = (get(client, f"x-v: {quote(said)}") for said in (value, "harmless"))
    assert made.status == harmless.status == 200
    if not errors(made):
        assert shape(made.body) == shape(harmless.body)
