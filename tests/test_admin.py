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


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Bearer sesam", "Bearer sesamee", "Basic sesame", "sesame", "Bearer \xe9"]
)
def test_reload_with_another_token_is_refused(controls: FakeControls, value: str) -> None:
    response = answer(controls, Request("POST", "/v1/reload", {"Authorization": value}))
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="fastedge"'


def test_reload_is_not_offered_without_a_token(controls: FakeControls) -> None:
    controls.token = None
    assert answer(controls, Request("POST", "/v1/reload", {"Authorization": "Bearer "})).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"), [("POST", "/metrics", "GET, HEAD"), ("GET", "/v1/reload", "POST")]
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
