"""What goes through: bodies of every framing both ways, the fields that pass and those that do not, requests in a row."""

import pytest

GET = ("GET / HTTP/1.1", "host: a.example")
OK = ("HTTP/1.1 200 OK", "content-length: 2", b"ok")
LOCAL_POLICY = """
from fastedge import CONTINUE, Pipeline, Response

class Local:
    def on_request(self, request, ctx):
        if request.path.startswith("/local"):
            return Response(200, {"x-from": "edge"}, request.path.encode())
        if request.path.startswith("/no"):
            return Response(403, {}, b"no")
        return CONTINUE

pipeline = Pipeline(Local())
"""


def ask(scene, *request):
    """(client, server, what the origin got) of one request."""
    client = scene.client()
    client.send(*request)
    server = scene.origin.accept()
    return client, server, server.message()


# --- requests in a row -----------------------------------------------------------------------------------------------


def test_connections_both_kept_over_requests(scene):
    client, server, _ = ask(scene, *GET)
    server.send(*OK)
    assert client.message().body == b"ok"
    for i in range(3):
        client.send(f"GET /{i} HTTP/1.1", "host: a.example")
        assert server.message().target == f"/{i}"
        server.send(*OK)
        assert client.message().get("connection") is None
    assert client.is_open()
    assert "busy=0 idle=1" in scene.edge.pool()


@pytest.mark.parametrize("whole", [True, False])
def test_pipelined_requests_answered_in_order(scene, whole):
    scene.policy = LOCAL_POLICY
    scene.origin.serve(
        lambda peer, m: peer.send("HTTP/1.1 200 OK", f"content-length: {len(m.target)}", m.target.encode())
    )
    client = scene.client()
    targets = [f"/{'local' if i % 3 == 1 else 'no' if i % 7 == 2 else 'origin'}/{i}" for i in range(100)]
    requests = b"".join(f"GET {target} HTTP/1.1\r\nhost: a.example\r\n\r\n".encode() for target in targets)
    for start in range(0, len(requests), len(requests) if whole else 37):
        client.send(requests[start : start + (len(requests) if whole else 37)])
    for target in targets:
        answer = client.message()
        assert answer.body == (b"no" if target.startswith("/no") else target.encode())
        assert (answer.get("x-from") == "edge") == target.startswith("/local")
    assert client.is_open()


def test_pipelined_posts_keep_their_bodies(scene):
    scene.origin.serve(lambda peer, m: peer.send("HTTP/1.1 200 OK", f"content-length: {len(m.body)}", m.body))
    client = scene.client()
    for i in range(30):
        body = b"%d" % i * 50
        if i % 2:
            client.send("POST / HTTP/1.1", "host: a", f"content-length: {len(body)}", body)
        else:
            client.send(
                "POST / HTTP/1.1", "host: a", "transfer-encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            )
    for i in range(30):
        assert client.message().body == b"%d" % i * 50


def test_pipelined_requests_of_a_half_closed_client_all_answered(scene):
    scene.origin.serve(lambda peer, m: peer.send("HTTP/1.1 200 OK", "content-length: 2", m.target.encode()[:2]))
    client = scene.client()
    client.send(
        "GET /0 HTTP/1.1", "host: a", b"", "GET /1 HTTP/1.1", "host: a", b"", "GET /2 HTTP/1.1", "host: a"
    ).finish()
    assert [client.message().body for _ in range(3)] == [b"/0", b"/1", b"/2"]
    client.expect_end()


def test_request_read_byte_by_byte_like_a_whole_one(scene):
    client = scene.client()
    client.drip(
        b"\r\n",
        "POST /x HTTP/1.1",
        "host: a",
        "transfer-encoding: chunked",
        b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-t: 1\r\n\r\n",
    )
    server = scene.origin.accept()
    request = server.message()
    assert (request.body, request.trailers) == (b"abcde", [("x-t", "1")])
    server.send(*OK)
    assert client.message().body == b"ok"


def test_response_read_byte_by_byte_like_a_whole_one(scene):
    client, server, _ = ask(scene, *GET)
    server.drip(
        "HTTP/1.1 100 Continue",
        b"",
        "HTTP/1.1 200 OK",
        "transfer-encoding: chunked",
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    )
    assert client.message().body == b"abcde"
    assert "idle=1" in scene.edge.pool()


def test_close_from_the_client_obeyed(scene):
    client, server, request = ask(scene, *GET, "connection: close")
    assert request.get("connection") is None
    server.send(*OK)
    assert client.message().get("connection") == "close"
    client.expect_end()
    assert "idle=1" in scene.edge.pool()


def test_close_from_the_origin_closes_only_there(scene):
    client, server, _ = ask(scene, *GET)
    server.send("HTTP/1.1 200 OK", "connection: close", "content-length: 2", b"ok")
    assert client.message().get("connection") is None
    assert client.is_open()
    scene.edge.until(lambda: "idle=0" in repr(scene.edge.worker.pools["main"]))


# --- framing ---------------------------------------------------------------------------------------------------------


def test_content_length_both_ways(scene):
    client, server, request = ask(scene, "POST / HTTP/1.1", "host: a", "content-length: 3", b"abc")
    assert (request.framing, request.body) == ("length", b"abc")
    server.send("HTTP/1.1 200 OK", "content-length: 4", b"wxyz")
    answer = client.message()
    assert (answer.framing, answer.body) == ("length", b"wxyz")


def test_chunked_both_ways(scene):
    client, server, request = ask(
        scene, "POST / HTTP/1.1", "host: a", "transfer-encoding: chunked", b"3\r\nabc\r\n0003;q=1\r\ndef\r\n0\r\n\r\n"
    )
    assert (request.framing, request.body) == ("chunked", b"abcdef")
    server.send("HTTP/1.1 200 OK", "transfer-encoding: chunked", b"1\r\nx\r\n")
    assert client.head().get("transfer-encoding") == "chunked"
    client.expect(b"1\r\nx\r\n")  # what has come is passed on, not gathered
    server.send(b"1\r\ny\r\n0\r\n\r\n")
    client.expect(b"1\r\ny\r\n0\r\n\r\n")
    assert client.is_open()


def test_body_up_to_the_end_of_the_connection_becomes_chunked(scene):
    client, server, _ = ask(scene, *GET)
    server.send("HTTP/1.1 200 OK", b"until ").send(b"the end").close()
    answer = client.message()
    assert (answer.framing, answer.body) == ("chunked", b"until the end")
    assert client.is_open()


def test_empty_bodies_keep_their_length(scene):
    client, server, request = ask(scene, "POST / HTTP/1.1", "host: a", "content-length: 0")
    assert request.get("content-length") == "0"
    server.send("HTTP/1.1 200 OK", "content-length: 0")
    assert client.message().get("content-length") == "0"
    assert client.is_open()
    assert "idle=1" in scene.edge.pool()


def test_head_keeps_the_length_and_has_no_body(scene):
    client, server, request = ask(scene, "HEAD / HTTP/1.1", "host: a")
    assert request.start == "HEAD / HTTP/1.1"
    server.send("HTTP/1.1 200 OK", "content-length: 1234")
    assert client.message(head=True).get("content-length") == "1234"
    client.send(*GET)
    server.message()
    server.send(*OK)
    assert client.message().body == b"ok"


def test_head_with_chunked_answer_has_no_body(scene):
    client, server, _ = ask(scene, "HEAD / HTTP/1.1", "host: a")
    server.send("HTTP/1.1 200 OK", "transfer-encoding: chunked")
    assert client.message(head=True).status == 200
    assert client.is_open()


def test_304_keeps_the_length_and_has_no_body(scene):
    client, server, _ = ask(scene, "GET / HTTP/1.1", "host: a", "content-length: 0", 'if-none-match: "a"')
    server.send("HTTP/1.1 304 Not Modified", 'etag: "a"', "content-length: 99")
    assert client.message().get("content-length") == "99"
    assert client.is_open()


def test_204_has_no_length(scene):
    client, server, _ = ask(scene, *GET)
    server.send("HTTP/1.1 204 No Content", "content-length: 5")
    answer = client.message()
    assert (answer.status, answer.get("content-length")) == (204, None)
    assert client.is_open()


# --- HTTP/1.0 --------------------------------------------------------------------------------------------------------


def test_http_1_0_client_gets_no_chunks(scene):
    client, server, request = ask(scene, "GET / HTTP/1.0", "host: a")
    assert request.start == "GET / HTTP/1.1"
    server.send("HTTP/1.1 200 OK", "transfer-encoding: chunked", b"2\r\nab\r\n1\r\nc\r\n0\r\nx-t: 1\r\n\r\n")
    answer = client.message()
    assert (answer.framing, answer.body) == ("close", b"abc")
    assert answer.get("connection") == "close"


def test_http_1_0_client_that_keeps_alive_is_told(scene):
    client, server, _ = ask(scene, "GET / HTTP/1.0", "host: a", "connection: keep-alive")
    server.send(*OK)
    assert client.message().get("connection") == "keep-alive"
    client.send("GET / HTTP/1.0", "host: a")
    server.message()
    server.send(*OK)
    assert client.message().get("connection") == "close"
    client.expect_end()


def test_http_1_0_client_without_host_gets_the_origins_name(scene):
    _, _, request = ask(scene, "GET / HTTP/1.0")
    assert request.get("host") == scene.origin.authority


def test_http_1_0_origin_not_used_twice(scene):
    client, server, _ = ask(scene, *GET)
    server.send("HTTP/1.0 200 OK", "content-length: 2", b"ok")
    assert client.message().start == "HTTP/1.1 200 OK"
    scene.edge.until(lambda: "idle=0" in repr(scene.edge.worker.pools["main"]))


# --- Expect and informational answers ----------------------------------------------------------------------------------


def test_continue_comes_from_the_origin(scene):
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "expect: 100-continue", "content-length: 3")
    server = scene.origin.accept()
    assert server.head().get("expect") == "100-continue"
    client.expect_silence()
    server.send("HTTP/1.1 100 Continue")
    assert client.message().status == 100
    client.send(b"abc")
    server.expect(b"abc")
    server.send(*OK)
    assert client.message().body == b"ok"
    assert client.is_open()


def test_final_answer_instead_of_continue_ends_the_connection(scene):
    client = scene.client()
    client.send("POST / HTTP/1.1", "host: a", "expect: 100-continue", "content-length: 3")
    server = scene.origin.accept()
    server.head()
    server.send("HTTP/1.1 401 Unauthorized", "content-length: 0")
    answer = client.message()
    assert (answer.status, answer.get("connection")) == (401, "close")
    client.expect_end()
    scene.edge.until(lambda: "busy=0 idle=0" in repr(scene.edge.worker.pools["main"]))


def test_stage_refuses_instead_of_continue(scene):
    scene.policy = LOCAL_POLICY
    client = scene.client()
    client.send("POST /no HTTP/1.1", "host: a", "expect: 100-continue", "content-length: 3")
    answer = client.message()
    assert (answer.status, answer.get("connection")) == (403, "close")
    client.expect_end()


def test_short_body_of_a_refused_request_read_for_the_sake_of_the_connection(scene):
    scene.policy = LOCAL_POLICY
    client = scene.client()
    client.send("POST /no HTTP/1.1", "host: a", "content-length: 3", b"a")
    assert client.message().get("connection") is None
    client.send(b"bc", "GET /local HTTP/1.1", "host: a")
    assert client.message().body == b"/local"


def test_client_that_does_not_wait_for_continue(scene):
    client, server, request = ask(
        scene, "POST / HTTP/1.1", "host: a", "expect: 100-continue", "content-length: 3", b"abc"
    )
    assert request.body == b"abc"
    server.send("HTTP/1.1 100 Continue", b"", *OK)
    assert [client.message().status, client.message().status] == [100, 200]


def test_expectation_of_http_1_0_not_passed_on(scene):
    client, server, request = ask(
        scene, "POST / HTTP/1.0", "host: a", "expect: 100-continue", "content-length: 1", b"x"
    )
    assert request.get("expect") is None
    server.send("HTTP/1.1 100 Continue", b"", *OK)
    assert client.message().status == 200


def test_informational_answers_passed_on(scene):
    client, server, _ = ask(scene, *GET)
    server.send("HTTP/1.1 103 Early Hints", "link: </a.css>; rel=preload", "connection: x-hop", b"")
    hints = client.message()
    assert (hints.status, hints.get("link"), hints.get("connection")) == (103, "</a.css>; rel=preload", None)
    server.send("HTTP/1.1 103 Early Hints", b"", *OK)
    assert [client.message().status, client.message().status] == [103, 200]


def test_informational_answers_kept_from_http_1_0(scene):
    client, server, _ = ask(scene, "GET / HTTP/1.0", "host: a")
    server.send("HTTP/1.1 103 Early Hints", b"", *OK)
    assert client.message().status == 200


def test_unasked_continue_swallowed(scene):
    client, server, _ = ask(scene, *GET)
    server.send("HTTP/1.1 100 Continue", b"", *OK)
    assert client.message().status == 200


def test_endless_informational_answers_cut(scene):
    client, server, _ = ask(scene, *GET)
    server.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40)
    statuses = []
    while not statuses or statuses[-1] < 200:
        statuses.append(client.message().status)
    assert statuses[-1] == 502


# --- trailers --------------------------------------------------------------------------------------------------------

CHUNKED_OK = (
    "HTTP/1.1 200 OK",
    "transfer-encoding: chunked",
    "trailer: x-sum",
    b"2\r\nok\r\n0\r\nx-sum: 7\r\nhost: evil\r\n\r\n",
)


def test_trailers_passed_to_whom_asked(scene):
    client, server, request = ask(scene, *GET, "te: trailers", "connection: te")
    assert (request.get("te"), request.get("connection")) == ("trailers", "te")
    server.send(*CHUNKED_OK)
    assert client.message().trailers == [("x-sum", "7")]
    assert "idle=1" in scene.edge.pool()


def test_trailers_kept_from_whom_did_not_ask(scene):
    client, server, request = ask(scene, *GET)
    assert request.get("te") is None
    server.send(*CHUNKED_OK)
    assert client.message().trailers == []


def test_trailers_of_a_request_passed_on(scene):
    _, _, request = ask(
        scene,
        "POST / HTTP/1.1",
        "host: a",
        "transfer-encoding: chunked",
        b"1\r\na\r\n0\r\nx-sum: 1\r\ncontent-length: 9\r\n\r\n",
    )
    assert request.trailers == [("x-sum", "1")]


def test_trailer_cannot_bring_back_what_the_plan_replaced(scene):
    scene.policy = """
from fastedge import CONTINUE, Pipeline

class Sum:
    def on_request(self, request, ctx):
        ctx.plan.set_header("x-sum", "edge")
        return CONTINUE

pipeline = Pipeline(Sum())
"""
    _, _, request = ask(
        scene,
        "POST / HTTP/1.1",
        "host: a",
        "transfer-encoding: chunked",
        b"1\r\na\r\n0\r\nx-sum: client\r\nx-other: 1\r\n\r\n",
    )
    assert (request.get("x-sum"), request.trailers) == ("edge", [("x-other", "1")])


# --- fields ----------------------------------------------------------------------------------------------------------


def test_hop_by_hop_fields_stay_on_their_hop(scene):
    client, server, request = ask(
        scene, *GET, "connection: keep-alive, x-mine", "keep-alive: 5", "x-mine: 1", "proxy-connection: x",
        "proxy-authorization: x", "te: gzip", "x-end: 1",
    )  # fmt: skip
    names = {name for name, _ in request.fields}
    assert names.isdisjoint({"connection", "keep-alive", "x-mine", "proxy-connection", "proxy-authorization", "te"})
    assert request.get("x-end") == "1"
    server.send(
        "HTTP/1.1 200 OK", "connection: keep-alive, X-Theirs", "keep-alive: timeout=5", "x-theirs: 1", "upgrade: h2",
        "x-end: 2", "content-length: 2", b"ok",
    )  # fmt: skip
    answer = client.message()
    assert {name for name, _ in answer.fields} == {"x-end", "content-length", "via", "date", "cache-status"}


def test_fields_keep_their_number_and_order(scene):
    client, server, request = ask(scene, *GET, "x-a: 1", "X-B: 2", "x-a: 3")
    assert [value for name, value in request.fields if name in ("x-a", "x-b")] == ["1", "2", "3"]
    server.send("HTTP/1.1 200 OK", "set-cookie: a=1", "set-cookie: b=2", "content-length: 0")
    assert client.message().all("set-cookie") == ["a=1", "b=2"]


def test_via_and_loop_marks_added(scene):
    client, server, request = ask(scene, *GET, "via: 1.1 before", "cdn-loop: other")
    assert request.all("via") == ["1.1 before", "1.1 fastedge"]
    assert request.all("cdn-loop") == ["other", "fastedge"]
    server.send("HTTP/1.1 200 OK", "via: 1.1 inner", "content-length: 0")
    assert client.message().all("via") == ["1.1 inner", "1.1 fastedge"]


def test_loop_refused(scene):
    client = scene.client()
    client.send(*GET, "cdn-loop: other, fastedge; x=1")
    answer = client.message()
    assert (answer.status, answer.get("proxy-status")) == (502, "fastedge; error=proxy_loop_detected")
    scene.origin.expect_nobody()


def test_own_fields_of_a_client_dropped(scene):
    _, _, request = ask(scene, *GET, "edge-user: root", "Edge-Country: XX", "x_forwarded_for: 1.2.3.4", "x-edge: stays")
    assert [name for name, _ in request.fields if "edge" in name or "_" in name] == ["x-edge"]


def test_forwarded_fields_of_an_untrusted_client_replaced(scene):
    _, _, request = ask(
        scene,
        *GET,
        "x-forwarded-for: 6.6.6.6",
        "forwarded: for=6.6.6.6",
        "x-forwarded-proto: https",
        "x-forwarded-host: evil",
    )
    assert request.all("x-forwarded-for") == ["127.0.0.1"]
    assert request.all("forwarded") == ["for=127.0.0.1;host=a.example;proto=http"]
    assert request.all("x-forwarded-proto") == ["http"]
    assert request.all("x-forwarded-host") == ["a.example"]


def test_forwarded_for_of_a_trusted_client_continued(scene):
    scene.server = 'trusted_proxies = ["127.0.0.0/8"]'
    _, _, request = ask(scene, *GET, "x-forwarded-for: 6.6.6.6, 5.5.5.5")
    assert request.all("x-forwarded-for") == ["6.6.6.6, 5.5.5.5, 127.0.0.1"]


@pytest.mark.parametrize(
    ("host", "seen"), [("preserve", "a.example"), ("origin", None), ("inner.example", "inner.example")]
)
def test_host_that_the_origin_sees(scene, host, seen):
    scene.options = f'host = "{host}"'
    _, _, request = ask(scene, *GET)
    assert request.get("host") == (seen or scene.origin.authority)
    assert request.fields[0][0] == "host"
    assert request.get("x-forwarded-host") == "a.example"


def test_absolute_form_becomes_origin_form(scene):
    _, _, request = ask(scene, "GET http://a.example/x?y=1 HTTP/1.1", "host: a.example")
    assert (request.start, request.get("host")) == ("GET /x?y=1 HTTP/1.1", "a.example")
