"""Several responses under one key, told apart by Vary."""

from exchange import Message, Peer, Scene
from exchange.cached import GET, MINUTE, answer, cache_status, get, stored, until_read

from fastedge import limits


def test_vary_keeps_several_responses(scene: Scene) -> None:
    client, server = stored(scene, "cache-control: max-age=60", "vary: accept-language", body=b"any")
    for language in ("de", "en"):
        client.send(*GET, f"accept-language: {language}")
        server.message()
        server.send(*answer("cache-control: max-age=60", "vary: accept-language", body=language.encode()))
        assert cache_status(client.message()) == "fastedge; fwd=vary-miss; stored"
    for language in ("de", "en"):
        assert get(client, f"accept-language:  {language} ").body == language.encode()
    assert get(client).body == b"any"


def test_codings_in_another_order_are_the_same_variant(scene: Scene) -> None:
    client = scene.client().send(*GET, "accept-encoding: gzip, br;q=0.5")
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE, "vary: Accept-Encoding", "content-encoding: gzip", body=b"zipped"))
    client.message()
    assert get(client, "accept-encoding: br;q=0.5 , GZIP").body == b"zipped"
    client.send(*GET, "accept-encoding: br")
    server.message()
    server.send(*answer(MINUTE, "vary: Accept-Encoding", "content-encoding: br", body=b"pressed"))
    assert client.message().body == b"pressed"
    assert get(client, "accept-encoding: br").get("content-encoding") == "br"
    assert get(client, "accept-encoding: gzip, br;q=0.5").get("content-encoding") == "gzip"


def test_waiting_clients_of_other_variants_are_released_and_served_right(scene: Scene) -> None:
    turns: dict[str, int] = {}

    def serve(peer: Peer, request: Message) -> None:
        language = request.get("accept-language") or "none"
        if not turns:
            until_read(scene, 9)  # the first is answered when all have asked
        turns[language] = turns.get(language, 0) + 1
        peer.send(*answer(MINUTE, "vary: accept-language", body=language.encode()))

    scene.origin.serve(serve)
    languages = ["de", "en", "fr"] * 3
    clients = [scene.client().send(*GET, f"accept-language: {language}") for language in languages]
    assert [client.message().body.decode() for client in clients] == languages
    assert turns == {"de": 1, "en": 1, "fr": 1}


def test_many_variants_are_told_apart_and_bounded(scene: Scene) -> None:
    scene.origin.serve(
        lambda peer, m: peer.send(*answer(MINUTE, "vary: x-variant", body=(m.get("x-variant") or "").encode()))
    )
    client = scene.client()
    numbers = range(limits.cache_variants_max + 10)
    for number in numbers:
        assert cache_status(get(client, f"x-variant: {number}")) in (
            "fastedge; fwd=uri-miss; stored",
            "fastedge; fwd=vary-miss; stored",
        )
    for number in reversed(numbers):
        assert get(client, f"x-variant: {number}").body == str(number).encode()
    assert len(scene.edge.worker.front.store) <= limits.cache_variants_max


def test_vary_on_a_field_that_the_edge_writes_is_not_stored(scene: Scene) -> None:
    client = scene.client().send(*GET)
    server = scene.origin.accept()
    server.message()
    server.send(*answer(MINUTE, "vary: x-forwarded-for"))
    assert cache_status(client.message()) == "fastedge; fwd=uri-miss; detail=vary_edge"
