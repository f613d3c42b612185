"""The admin stage without a socket: routes, methods, the token."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fastedge import Context, Pipeline, Request, Response
from fastedge._core.pipeline import Wait
from fastedge.admin import AdminStage


class FakeControls:
    is_alive = True
    is_ready = True
    token: bytes | None = b"sesame"

    def metrics(self) -> bytes:
        return b"fastedge_requests_total 1\n"

    def status(self) -> Mapping[str, Any]:
        return {"generation": 3}

    async def reload(self) -> tuple[int, Mapping[str, Any]]:
        return 422, {"result": "refused"}

    async def purge(self, body: bytes) -> tuple[int, Mapping[str, Any]]:
        return 200, {"body": body.decode()}

    async def revoke(self, body: bytes) -> tuple[int, Mapping[str, Any]]:
        return 507, {"body": body.decode()}

    async def revocations(self) -> tuple[int, Mapping[str, Any]]:
        return 200, {"in_force": 2}

    async def inspect(self, url: str) -> tuple[int, Mapping[str, Any]]:
        return 200, {"url": url}


AUTHORIZED = {"Authorization": "Bearer sesame"}
GUARDED = pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/reload"),
        ("POST", "/v1/purge"),
        ("POST", "/v1/revocations"),
        ("GET", "/v1/revocations"),
        ("GET", "/v1/cache?url=http://a/"),
    ],
)


@pytest.fixture
def controls() -> FakeControls:
    return FakeControls()


def answer(controls: FakeControls, request: Request) -> Response:
    verdict = AdminStage(controls).on_request(request, Context())
    if isinstance(verdict, Wait):
        verdict = verdict.then(asyncio.run(verdict.step()))
    assert isinstance(verdict, Response)
    return verdict


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/healthz", b"alive\n"),
        ("/readyz?verbose", b"ready\n"),
        ("/metrics", b"fastedge_requests_total 1\n"),
        ("/v1/status", b'{"generation":3}'),
    ],
)
def test_what_changes_nothing_is_for_everyone(controls: FakeControls, path: str, body: bytes) -> None:
    for method in ("GET", "HEAD"):
        response = answer(controls, Request(method, path))
        assert (response.status, response.body) == (200, body)


def test_health_is_503_when_it_does_not_hold(controls: FakeControls) -> None:
    controls.is_ready = False
    assert answer(controls, Request("GET", "/readyz")).status == 503
    assert answer(controls, Request("GET", "/healthz")).status == 200
    controls.is_alive = False
    assert answer(controls, Request("GET", "/healthz")).status == 503


def test_reload_with_the_token_is_performed(controls: FakeControls) -> None:
    for scheme in ("Bearer", "bearer"):
        response = answer(controls, Request("POST", "/v1/reload", {"Authorization": f"{scheme} sesame"}))
        assert (response.status, response.body) == (422, b'{"result":"refused"}')


def test_purge_without_a_body_gets_none(controls: FakeControls) -> None:
    response = answer(controls, Request("POST", "/v1/purge", AUTHORIZED))
    assert response.body == b'{"body":""}'


def test_revocations_are_posted_and_counted_at_one_path(controls: FakeControls) -> None:
    posted = answer(controls, Request("POST", "/v1/revocations", AUTHORIZED))
    assert (posted.status, posted.body) == (507, b'{"body":""}')
    for method in ("GET", "HEAD"):
        assert answer(controls, Request(method, "/v1/revocations", AUTHORIZED)).body == b'{"in_force":2}'


def test_inspection_gets_the_url(controls: FakeControls) -> None:
    response = answer(controls, Request("GET", "/v1/cache?url=https%3A%2F%2Fa%2F%3Fb%3D1%262", AUTHORIZED))
    assert response.body == b'{"url":"https://a/?b=1&2"}'
    assert answer(controls, Request("GET", "/v1/cache", AUTHORIZED)).body == b'{"url":""}'


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Bearer sesam", "Bearer sesamee", "Basic sesame", "sesame", "Bearer \xe9"]
)
@GUARDED
def test_other_token_is_refused(controls: FakeControls, method: str, path: str, value: str) -> None:
    response = answer(controls, Request(method, path, {"Authorization": value}))
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="fastedge"'


@GUARDED
def test_what_needs_a_token_is_not_there_without_one(controls: FakeControls, method: str, path: str) -> None:
    controls.token = None
    assert answer(controls, Request(method, path, {"Authorization": "Bearer "})).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/metrics", "GET, HEAD"),
        ("GET", "/v1/reload", "POST"),
        ("HEAD", "/v1/reload", "POST"),
        ("DELETE", "/v1/revocations", "POST, GET, HEAD"),
    ],
)
def test_other_methods_are_told_which_is_right(controls: FakeControls, method: str, path: str, allow: str) -> None:
    response = answer(controls, Request(method, path))
    assert response.status == 405
    assert response.headers["allow"] == allow


def test_nothing_else_is_there(controls: FakeControls) -> None:
    for path in ("/", "/v1", "/v1/reload/", "/METRICS"):
        assert answer(controls, Request("GET", path)).status == 404


def test_no_answer_may_be_cached(controls: FakeControls) -> None:
    response = Response.text("x")
    AdminStage(controls).on_response(Request("GET", "/"), response, Context())
    assert response.headers["cache-control"] == "no-store"
    Pipeline(AdminStage(controls)).bind(None)
