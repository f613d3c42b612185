"""What is sent from the store, and what every answer says of it."""

from exchange import Scene
from exchange.cached import GET, MINUTE, answer, asked, cache_status, get, stored

from fastedge import clock


def test_fresh_response_is_answered_without_the_origin(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(10)
    hit = get(client)
    assert hit.status == 200 and hit.body == b"page"
    assert hit.get("age") == "10" and cache_status(hit) == "fastedge; hit; ttl=50"
    assert hit.get("etag") == '"1"' and hit.get("via") == "1.1 fastedge" and hit.get("content-length") == "4"
    server.expect_silence()


def test_first_answer_says_that_it_is_stored(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer("cache-control: max-age=60"))
    miss = client.message()
    assert cache_status(miss) == "fastedge; fwd=uri-miss; stored" and miss.get("age") is None


def test_only_if_cached(scene: Scene) -> None:
    client = scene.client()
    assert get(client, "cache-control: only-if-cached").status == 504
    assert scene.origin.accepted == 0


def test_store_can_be_switched_off(scene: Scene) -> None:
    scene.more = "[cache]\nmemory_mb = 0\n"
    client, server = stored(scene, "cache-control: max-age=60")
    client.send(*GET)
    server.message()
    server.send(*answer(body=b"again"))
    again = client.message()
    assert again.body == b"again" and cache_status(again) is None


def test_age_and_via_are_written_and_no_warning(scene: Scene) -> None:
    client, _ = stored(scene, MINUTE, "age: 7, 8", "warning: 110 - stale", "via: 1.1 inner")
    clock.travel(10)
    hit = get(client)
    assert hit.all("age") == ["17"] and hit.all("via") == ["1.1 inner", "1.1 fastedge"]
    assert cache_status(hit) == "fastedge; hit; ttl=43"
    clock.travel(60)
    assert get(client, "cache-control: max-stale").all("warning") == ["110 - stale"]  # the origin's, none of ours


def test_age_grows_though_the_wall_clock_is_set_back(scene: Scene) -> None:
    client, server = stored(scene, MINUTE)
    clock.travel(50)
    clock.set_wall(-3600)
    assert get(client).get("age") == "50"
    clock.travel(11)
    client.send(*GET)
    server.message()
    server.send(*answer(MINUTE))
    assert client.message().get("age") is None
    assert get(client).get("age") == "0"


def test_wall_clock_that_is_set_back_during_a_fetch_makes_nothing_older_or_younger(scene: Scene) -> None:
    (client,), server = asked(scene)
    clock.set_wall(-3600)
    server.send(*answer(MINUTE))
    client.message()
    clock.travel(59)
    assert get(client).get("age") == "59"
    clock.travel(2)
    client.send(*GET)
    server.message()
    server.send(*answer(MINUTE))
    client.message()


def test_date_is_added_where_the_origin_sent_none_and_kept_where_it_did(scene: Scene) -> None:
    client = scene.client()
    scene.origin.serve(
        lambda peer, m: peer.send(*answer(MINUTE, *(["date: Sun, 06 Nov 2050 08:49:37 GMT"] * (m.target == "/dated"))))
    )
    for target in ("/", "/dated"):
        first, again = get(client, target=target), get(client, target=target)
        assert len(first.all("date")) == len(again.all("date")) == 1
        assert (first.get("date") == "Sun, 06 Nov 2050 08:49:37 GMT") == (target == "/dated")
    assert again.get("date") == first.get("date")


def test_cache_status_is_on_every_reply_that_concerns_an_origin(scene: Scene) -> None:
    scene.origin.serve(lambda peer, m: peer.send(*answer(MINUTE)))
    client = scene.client()
    said = []
    for request in (
        ["GET"],
        ["GET"],
        ["POST", "content-length: 0"],
        ["GET", "if-match: *"],
        ["GET", "content-length: 0"],
    ):
        client.send(f"{request[0]} / HTTP/1.1", "host: a.example", *request[1:])
        said.append(cache_status(client.message()))
    assert said == [
        "fastedge; fwd=uri-miss; stored",
        "fastedge; hit; ttl=60",
        "fastedge; fwd=method; detail=method",
        "fastedge; fwd=bypass; detail=precondition",
        "fastedge; fwd=bypass; detail=request_body",
    ]


def test_cache_status_of_an_origin_is_passed_on_before_ours(scene: Scene) -> None:
    client, _ = stored(scene, MINUTE, "cache-status: inner; hit")
    assert get(client).all("cache-status") == ["inner; hit", "fastedge; hit; ttl=60"]


def test_only_if_cached_is_answered_from_the_store_alone(scene: Scene) -> None:
    client, server = stored(scene, MINUTE)
    assert get(client, "cache-control: only-if-cached").body == b"page"
    clock.travel(61)
    refused = get(client, "cache-control: only-if-cached")
    assert (refused.status, cache_status(refused)) == (504, None)
    assert get(client, "cache-control: only-if-cached, max-stale=5").body == b"page"
    server.expect_silence()


def test_requests_differ_by_target_and_host(scene: Scene) -> None:
    scene.origin.serve(lambda peer, m: peer.send(*answer(MINUTE, body=f"{m.get('host')}{m.target}".encode())))
    client = scene.client()
    for _ in range(2):
        for host in ("a.example", "b.example"):
            for target in ("/", "/?", "/?q", "/A", "/a"):
                client.send(f"GET {target} HTTP/1.1", f"host: {host}")
                assert client.message().body == f"{host}{target}".encode()
