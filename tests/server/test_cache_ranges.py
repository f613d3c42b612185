"""Parts of what is stored, of what is being stored, and of what is not."""

import pytest
from exchange import Scene
from exchange.cached import GET, MINUTE, answer, asked, get, stored, until_landed, until_read


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=0-0", b"0", "bytes 0-0/10"),
    ],
)
def test_part_of_a_stored_response(scene: Scene, asked: str, body: bytes, content_range: str) -> None:
    client, _ = stored(scene, "cache-control: max-age=60", 'etag: "1"', body=b"0123456789")
    part = get(client, f"range: {asked}")
    assert (part.status, part.body, part.get("content-range")) == (206, body, content_range)
    assert get(client, f"range: {asked}", 'if-range: "other"').status == 200
    assert get(client).body == b"0123456789"


def test_range_beyond_the_end_and_several_ranges(scene: Scene) -> None:
    client, _ = stored(scene, "cache-control: max-age=60", "content-type: text/plain", body=b"0123456789")
    beyond = get(client, "range: bytes=10-")
    assert beyond.status == 416 and beyond.get("content-range") == "bytes */10"
    several = get(client, "range: bytes=0-1,8-")
    assert several.status == 206 and (several.get("content-type") or "").startswith("multipart/byteranges; boundary=")
    assert b"01" in several.body and b"89" in several.body and b"34567" not in several.body


def test_range_on_a_miss_is_cut_from_the_whole(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET, "range: bytes=3-5")
    server = scene.origin.accept()
    assert server.message().get("range") is None
    server.send("HTTP/1.1 200 OK", "cache-control: max-age=60", "content-length: 10", b"01")
    server.send(b"234567")
    part = client.message()
    assert (part.status, part.body, part.get("content-length")) == (206, b"345", "3")
    server.send(b"89")
    until_landed(scene)
    assert get(client).body == b"0123456789"


def test_range_of_what_is_not_stored_goes_to_the_origin(scene: Scene) -> None:
    client = scene.client()
    client.send(*GET, "range: bytes=3-5")
    server = scene.origin.accept()
    server.message()
    server.send(*answer("cache-control: no-store", body=b"0123456789"))
    again = scene.origin.accept()
    assert again.message().get("range") == "bytes=3-5"
    again.send("HTTP/1.1 206 Partial Content", "content-range: bytes 3-5/10", "content-length: 3", b"345")
    assert client.message().body == b"345"


def test_if_range_needs_the_very_entity_tag(scene: Scene) -> None:
    client, _ = stored(scene, MINUTE, 'etag: "1"', body=b"0123456789")
    assert get(client, "range: bytes=0-1", 'if-range: "1"').body == b"01"
    assert get(client, "range: bytes=0-1", 'if-range: W/"1"').body == b"0123456789"


def test_ranges_that_mean_nothing_are_answered_by_all_of_it(scene: Scene) -> None:
    client, _ = stored(scene, MINUTE, body=b"0123456789")
    many = ",".join(f"{i}-{i}" for i in range(10)) + "," + ",".join("0-9" for _ in range(10))
    for asked_for in ("bytes=5-2", "lines=1-2", f"bytes={many}"):
        whole = get(client, f"range: {asked_for}")
        assert (whole.status, whole.body) == (200, b"0123456789")


def test_parts_for_several_who_wait_for_one_fetch(scene: Scene) -> None:
    (whole,), server = asked(scene)
    first, last = (scene.client().send(*GET, f"range: bytes={part}") for part in ("0-2", "-3"))
    until_read(scene, 3)
    server.send("HTTP/1.1 200 OK", MINUTE, "content-length: 10", b"01234")
    assert first.message().body == b"012"
    late = scene.client().send(*GET, "range: bytes=2-6")
    assert late.head().get("content-range") == "bytes 2-6/10"
    late.expect(b"234")
    server.send(b"56789")
    late.expect(b"56")
    assert (last.message().body, whole.message().body) == (b"789", b"0123456789")
    assert scene.origin.accepted == 1


def test_range_of_a_body_whose_length_is_not_known_yet_is_answered_by_all_of_it(scene: Scene) -> None:
    (client,), server = asked(scene, "range: bytes=0-1")
    server.send("HTTP/1.1 200 OK", MINUTE, "transfer-encoding: chunked", b"4\r\npage\r\n0\r\n\r\n")
    first = client.message()
    assert (first.status, first.body) == (200, b"page")
    assert get(client, "range: bytes=0-1").body == b"pa"


def test_206_of_an_origin_is_not_stored(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: no-store")
    client.send(*GET, "range: bytes=0-1")
    assert server.message().get("range") == "bytes=0-1"
    server.send("HTTP/1.1 206 Partial Content", MINUTE, "content-range: bytes 0-1/4", "content-length: 2", b"pa")
    assert client.message().status == 206
    client.send(*GET)
    server.message()
    server.send(*answer(MINUTE))
    assert client.message().body == b"page"
