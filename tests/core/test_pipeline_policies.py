"""Whatever a hook does, a request ends in one reply, and the failure names the stage and the hook."""

import asyncio

import pytest

from fastedge import CONTINUE, ConfigError, Context, Pipeline, Plan, Request, Response
from fastedge._core.address import pack_address
from fastedge.engine import Engine, Exchange, Site
from fastedge.errors import StageError
from fastedge.limits import target_bytes_max


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Raises:
    """One hook that raises; a response hook before it in the pipeline still runs."""

    def __init__(self, hook: str, error: type[BaseException], on_error: str = "fail_closed") -> None:
        self.on_error = on_error
        setattr(self, hook, self._three if hook.endswith("response") and hook != "on_request" else self._two)
        self._error = error

    def _two(self, request: Request, ctx: Context) -> object:
        raise self._error

    def _three(self, request: Request, response: Response, ctx: Context) -> None:
        raise self._error


class Marks:
    def on_response(self, request: Request, response: Response, ctx: Context) -> None:
        response.headers["x-seen"] = "1"


def exchange(*stages: object) -> Exchange:
    engine = Engine({"*": Site("", Pipeline(*stages).bind(None), "main")}, ["main"])
    begun = engine.begin(Request(), 0.0, pack_address("192.0.2.1"))
    assert begun is not None
    return begun


def run(*stages: object) -> Exchange:
    life = exchange(*stages)
    if life.step_start() == "fetch":
        assert life.step_fetched(Response(200, {}, b"page")) == "reply"
    return life


HOOKS = ("on_request", "on_origin_request", "on_origin_response", "on_response")
ERRORS = (ValueError, Unspeakable, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("hook", HOOKS)
def test_hook_that_raises_is_a_500_that_names_it(hook: str, error: type[BaseException]) -> None:
    life = run(Marks(), Raises(hook, error))
    assert life.response.status == 500
    assert life.response.headers["x-seen"] == "1"
    assert str(life.failure).startswith(f"Raises.{hook}: {error.__name__}")


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("hook", HOOKS)
def test_hook_that_raises_is_a_note_when_it_fails_open(hook: str, error: type[BaseException]) -> None:
    life = run(Marks(), Raises(hook, error, "fail_open"))
    assert life.response.status == 200
    assert life.failure is None
    assert life.ctx.notes == {"Raises": f"failed open: {error.__name__}"}


def test_target_that_a_stage_sets_is_bounded() -> None:
    plan = Plan(origin="main", target="/" + "a" * (target_bytes_max - 1))
    with pytest.raises(StageError, match=f"at most {target_bytes_max} bytes"):
        plan.target = plan.target + "a"


class Binds:
    """A gate; `bind` gives what it was made with."""

    def __init__(self, bound: object) -> None:
        self._bound = bound

    def bind(self, snapshot: object) -> object:
        return self._bound

    def on_request(self, request: Request, ctx: Context) -> object:
        return Response(403)


@pytest.mark.parametrize("bound", [None, object(), 5])
def test_bind_that_returns_no_hooks_is_refused(bound: object) -> None:
    with pytest.raises(ConfigError, match=rf"^Binds\.bind returned {type(bound).__name__}; it returns the object"):
        exchange(Binds(bound))


def test_bound_hook_that_nobody_can_call_is_refused() -> None:
    class Bound:
        async def on_request(self, request: Request, ctx: Context) -> object:
            return CONTINUE

    with pytest.raises(ConfigError, match=r"^Binds\.on_request must be a plain function"):
        exchange(Binds(Bound()))


def test_bound_object_runs_in_the_stages_stead() -> None:
    assert run(Binds(Marks())).response.status == 200
