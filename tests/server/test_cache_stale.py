"""Stale responses: sent while they are refreshed, in place of an error, or never."""

import pytest
from exchange import Scene
from exchange.cached import GET, answer, cache_status, get, stored, until_landed, until_read

from fastedge import clock

WINDOW = "cache-control: max-age=60, stale-if-error=60"


def test_stale_while_revalidate_sends_at_once_and_refreshes_beside(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60", 'etag: "1"')
    clock.travel(70)
    stale = get(client)
    assert stale.body == b"page" and cache_status(stale) == "fastedge; hit; ttl=-10"
    assert server.message().get("if-none-match") == '"1"'
    assert get(client).body == b"page"
    server.send(*answer("cache-control: max-age=60", body=b"new"))
    until_landed(scene)
    assert get(client).body == b"new"
    assert scene.origin.accepted == 1


def test_stale_if_error(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-if-error=60")
    clock.travel(70)
    client.send(*GET)
    server.message()
    server.send(*answer(status="503 Service Unavailable", body=b"down"))
    stale = client.message()
    assert stale.body == b"page" and cache_status(stale) == "fastedge; fwd=stale; fwd-status=503"
    client.send(*GET)
    scene.origin.accept().close()
    assert client.message().body == b"page"
    clock.travel(100)
    client.send(*GET)
    scene.origin.accept().close()
    assert client.message().status == 502


def test_must_revalidate_is_never_sent_stale(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, must-revalidate, stale-if-error=60")
    clock.travel(70)
    client.send(*GET)
    server.message()
    server.send(*answer(status="503 Service Unavailable", body=b"down"))
    assert client.message().status == 503


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_stale_response_stands_in_for_a_failing_origin(scene: Scene, status: int) -> None:
    client, server = stored(scene, WINDOW, 'etag: "1"')
    clock.travel(70)
    client.send(*GET)
    server.message()
    server.send(*answer(status=f"{status} Down", body=b"down"))
    stale = client.message()
    assert (stale.status, stale.body, stale.get("age")) == (200, b"page", "70")
    assert cache_status(stale) == f"fastedge; fwd=stale; fwd-status={status}"


@pytest.mark.parametrize("status", [404, 501])
def test_stale_response_does_not_stand_in_for_another_answer(scene: Scene, status: int) -> None:
    client, server = stored(scene, WINDOW)
    clock.travel(70)
    client.send(*GET)
    server.message()
    server.send(*answer(status=f"{status} No", body=b"no"))
    assert client.message().status == status


def test_stale_response_stands_in_for_an_origin_that_refuses(scene: Scene) -> None:
    client, server = stored(scene, WINDOW)
    clock.travel(70)
    scene.origin.stop()
    server.close()
    assert get(client).body == b"page"
    assert get(client, "cache-control: stale-if-error=5").body == b"page"
    clock.travel(60)
    assert get(client).status == 502


@pytest.mark.parametrize("how", ["silent", "reset", "garbage", "dies"])
def test_stale_response_stands_in_for_an_origin_that_breaks(scene: Scene, how: str) -> None:
    scene.options = "first_byte_timeout_ms = 100"
    client, server = stored(scene, WINDOW)
    clock.travel(70)
    client.send(*GET)
    server.message()
    if how == "reset":
        server.reset()
        scene.origin.accept().reset()
    elif how == "garbage":
        server.send(b"HTP/1.1 200 OK\r\n\r\n")
    elif how == "dies":
        server.send(b"HTTP/1.1 200")
        server.close()
    stale = client.message()
    assert (stale.status, stale.body, cache_status(stale)) == (200, b"page", "fastedge; fwd=stale")


def test_client_opens_and_closes_the_window(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60")
    clock.travel(70)
    scene.origin.stop()
    server.close()
    assert get(client).status == 502
    assert get(client, "cache-control: stale-if-error=20").body == b"page"
    assert get(client, "cache-control: stale-if-error=20, max-age=5").status == 502


@pytest.mark.parametrize("directive", ["must-revalidate", "proxy-revalidate", "no-cache"])
def test_what_must_be_validated_is_an_error_where_it_cannot_be(scene: Scene, directive: str) -> None:
    scene.options = "first_byte_timeout_ms = 100"
    client, server = stored(scene, f"cache-control: max-age=60, stale-if-error=60, {directive}", 'etag: "1"')
    clock.travel(70)
    client.send(*GET, "cache-control: max-stale, stale-if-error=600")
    server.message()
    assert client.message().status == 504
    scene.origin.stop()
    assert get(client).status == 502


def test_all_who_wait_for_a_failing_validation_get_what_they_take(scene: Scene) -> None:
    client, server = stored(scene, WINDOW, 'etag: "1"')
    clock.travel(70)
    client.send(*GET)
    server.message()
    patient, strict = scene.client().send(*GET), scene.client().send(*GET, "cache-control: max-age=10")
    until_read(scene, 3)
    server.send(*answer(status="503 Down", body=b"down"))
    assert client.message().body == patient.message().body == b"page"
    own = scene.origin.accept()
    assert own.message().get("if-none-match") is None
    own.send(*answer(status="503 Down", body=b"down"))
    assert strict.message().status == 503


def test_pipelined_requests_behind_a_stale_answer_are_answered(scene: Scene) -> None:
    client, server = stored(scene, WINDOW)
    clock.travel(70)
    client.send(*GET, b"", *GET)
    server.message()
    server.send(*answer(status="503 Down", body=b"down"))
    scene.origin.accept().close()
    assert [client.message().body for _ in range(2)] == [b"page", b"page"]


def test_error_instead_of_a_validation_leaves_what_is_stored(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", 'etag: "1"')
    clock.travel(70)
    client.send(*GET)
    server.message()
    server.send(*answer(status="503 Down", body=b"down"))
    assert client.message().status == 503
    client.send(*GET)
    assert server.message().get("if-none-match") == '"1"'
    server.send("HTTP/1.1 304 Not Modified", 'etag: "1"')
    assert client.message().body == b"page"


@pytest.mark.parametrize("how", ["silent", "closes", "fails"])
def test_refresh_that_fails_leaves_the_window_open_and_tries_again(scene: Scene, how: str) -> None:
    scene.options = "first_byte_timeout_ms = 200"
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60", 'etag: "1"')
    clock.travel(70)
    assert get(client).body == b"page"
    server.message()
    if how == "closes":
        server.send(b"HTTP/1.1 2")
        server.close()
    elif how == "fails":
        server.send(*answer(status="503 Down", body=b"down"))
    else:
        assert get(client).body == b"page"  # and nobody waits for the answer
    until_landed(scene)
    assert get(client).body == b"page"
    again = scene.origin.accept()
    assert again.message().get("if-none-match") == '"1"'
    again.send(*answer("cache-control: max-age=60", body=b"new"))
    until_landed(scene)
    assert get(client).body == b"new"


def test_window_ends(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60, stale-while-revalidate=60")
    clock.travel(121)
    client.send(*GET)
    server.message()
    server.send(*answer(body=b"new"))
    assert client.message().body == b"new"


def test_policy_opens_the_windows(scene: Scene) -> None:
    scene.policy = (
        "from fastedge import Pipeline\nfrom fastedge.stages import CacheRules\n"
        "pipeline = Pipeline(CacheRules(ttl_s=60, stale_while_revalidate_s=10, stale_if_error_s=30))\n"
    )
    client, server = stored(scene)
    clock.travel(65)
    assert cache_status(get(client)) == "fastedge; hit; ttl=-5"
    server.message()
    server.send(b"HTTP/1.1 2")
    server.close()
    until_landed(scene)
    clock.travel(10)
    scene.origin.stop()
    assert get(client).body == b"page"
    clock.travel(20)
    assert get(client).status == 502
