"""`fastedge explain`: what would be decided about one request, and by whom. Opens no socket and asks no origin."""

import inspect
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import click
import orjson

from fastedge import CONTINUE
from fastedge._core.address import pack_address
from fastedge._core.fields import Fields
from fastedge._core.gate import Gate
from fastedge._core.key import cache_key
from fastedge._core.message import Request, Response
from fastedge._core.pipeline import Hook, HookFailure
from fastedge._core.purges import Purges
from fastedge._core.store import MemoryStore
from fastedge._core.unkeyed import outside_key
from fastedge._core.wire import RequestReader
from fastedge.assembly import Prepared, prepare
from fastedge.clock import now as clock_now
from fastedge.config import ConfigErrors, Sources
from fastedge.engine import Exchange
from fastedge.errors import WireError
from fastedge.handover import private_purges
from fastedge.identity.refusal import TokenRefusal

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})  # named, never shown
_COLOURS = {"respond": "yellow", "deny": "red", "redirect": "cyan", "error": "red", "wait": "magenta"}


@click.command()
@click.argument("file")
@click.argument("url")
@click.option("-X", "method", default="GET", metavar="METHOD", help="Left out: GET.")
@click.option("-H", "headers", multiple=True, metavar="'NAME: VALUE'", help="A field; may be repeated.")
@click.option("--ip", "address", default="127.0.0.1", metavar="ADDRESS", help="The client, as resolved.")
@click.option("--now", "moment", metavar="TIME", help="RFC 3339 or seconds since 1970. Left out: now.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Such as server.workers=1; may be repeated."
)
def explain(
    file: str,
    url: str,
    method: str,
    headers: tuple[str, ...],
    address: str,
    moment: str | None,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """Show what FILE (edge.toml) decides about URL: each stage, the plan, the facts, the answer."""
    try:
        prepared = prepare(Sources.read(file, os.environ, overrides), 0)
    except ConfigErrors as errors:
        for problem in errors.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)
    client, now = _packed(address), _seconds(moment)
    head, secure = _head(url, method, headers)
    try:
        report = explained(prepared, RequestReader().parse(head, secure=secure), client, now)
    except WireError as refusal:
        shown = {"method": method, "url": url, "headers": []}
        report = {
            "request": shown,
            "answer": {"status": refusal.status, "by": "the rim", "reason": refusal.reason},
        }
    if as_json:
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    else:
        for line in _lines(report):
            click.echo(line)


def explained(prepared: Prepared, request: Request, client: bytes, now: float) -> dict[str, Any]:
    """The report, ready for JSON. What is not known without asking anyone is "unknown"."""
    exchange = prepared.engine.begin(request, now, client, *_empty_store(prepared))
    secrets = Secrets([] if exchange is None else exchange.site.pipeline.hooks())
    headers = [(name, secrets.field(name, value)) for name, value in request.headers.items()]
    report: dict[str, Any] = {
        "request": {"method": request.method, "url": secrets.query(request.url), "headers": headers}
    }
    if exchange is None:
        return report | {"answer": {"status": 421, "by": "the rim", "reason": "no site claims this host"}}
    steps: list[dict[str, Any]] = []
    ran: list[Hook] = []
    last_plan = _plan(exchange, secrets)

    def observe(hook: Hook, verdict: Any) -> None:
        nonlocal last_plan
        plan = _plan(exchange, secrets)
        changes = {name: plan[name] for name in plan if plan[name] != last_plan[name]}
        last_plan = plan
        outcome = "unknown" if _lacks_keys(exchange) else _outcome(verdict)
        if steps and steps[-1]["outcome"] == "wait":
            steps[-1] |= {"outcome": outcome, "changes": changes}
            return
        ran.append(hook)
        step: dict[str, Any] = {"stage": hook.stage, "hook": hook.name, "outcome": outcome, "changes": changes}
        if isinstance(hook.native, Gate):
            step["checks"] = hook.native.trace(request, exchange.ctx)
        steps.append(step)

    exchange.observe(observe)
    step = exchange.step_start()
    while step == "wait" and not inspect.iscoroutinefunction(exchange.wait.step):
        step = exchange.step_resume(_performed(exchange.wait.step))
    if step == "share":
        step = exchange.step_lead()
    return report | {
        "site": exchange.site.name,
        "stages": steps,
        "skipped": _skipped(exchange, ran, step),
        "facts": _facts(exchange),
        "plan": last_plan | _target(prepared, exchange, step),
        "cache": _cache(request, exchange, step, secrets),
        "answer": _answer(exchange, step),
    }


class Secrets:
    """What a site's gates take for credentials: named, never shown."""

    def __init__(self, hooks: Iterable[Hook]) -> None:
        gates = [hook.native for hook in hooks if isinstance(hook.native, Gate)]
        self._fields = _SECRET.union(*(gate.hidden_fields for gate in gates))
        self._parameters = frozenset[str]().union(*(gate.hidden_parameters for gate in gates))

    def field(self, name: str, value: str) -> str:
        return "…" if name in self._fields else self.query(value)

    def query(self, text: str) -> str:
        """A text with a target, or a URL, in it."""
        return _PARAMETER.sub(self._parameter, text)

    def _parameter(self, found: re.Match[str]) -> str:
        return f"{found[1]}=…" if unquote_plus(found[1][1:]) in self._parameters else found[0]


_PARAMETER = re.compile(r"([?&][^=&\0]*)=[^&\0]*")


def _performed(step: Callable[[], Any]) -> Any:
    """What a stage waits for, as a worker has it: its answer, or the exception that it raised."""
    try:
        return step()
    except Exception as error:
        return error


def _empty_store(prepared: Prepared) -> tuple[MemoryStore | None, Purges | None]:
    """What the cache holds is not known here; what it would be asked is."""
    if not prepared.config.cache.memory_mb:
        return None, None
    return MemoryStore(1 << 20, bytes(16)), private_purges()


def _cache(request: Request, exchange: Exchange, step: str, secrets: Secrets) -> dict[str, Any]:
    """The outcome where it does not depend on what is stored, with its reason; and the key."""
    ctx = exchange.ctx
    return {
        "outcome": "unknown" if step == "share" else ctx.cache,
        "reason": ctx.cache_reason,
        "key": secrets.query(cache_key(request, ctx.plan).decode("latin-1")).replace("\0", "\\0"),
        "unkeyed": [f"{stage} reads {what} outside the key" for stage, what in outside_key(ctx)],
    }


def _head(url: str, method: str, headers: Sequence[str]) -> tuple[bytes, bool]:
    """The request as curl would send it, for the rim to judge; and whether it is https."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise click.BadParameter(f"expected a URL such as http://shop.example/path, found {url!r}", param_hint="URL")
    fields = []
    for line in headers:
        name, colon, value = line.partition(":")
        if not colon:
            raise click.BadParameter(f"expected 'Name: value', found {line!r}", param_hint="-H")
        fields.append((name.strip(), value.strip()))
    try:
        Fields([(name, "") for name, _ in fields])
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="-H") from None
    if not any(name.lower() == "host" for name, _ in fields):
        fields.insert(0, ("host", parts.netloc.rpartition("@")[2]))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape"), parts.scheme == "https"


def _packed(address: str) -> bytes:
    try:
        return pack_address(str(ipaddress.ip_address(address)))
    except ValueError:
        raise click.BadParameter(f"expected an IP address, found {address!r}", param_hint="--ip") from None


def _seconds(moment: str | None) -> float:
    if moment is None:
        return clock_now()
    try:
        return float(moment)
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise click.BadParameter(
            f"expected 2026-01-31T12:00:00Z or seconds since 1970, found {moment!r}", param_hint="--now"
        ) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _plan(exchange: Exchange, secrets: Secrets) -> dict[str, Any]:
    plan = exchange.ctx.plan
    return {
        "origin": plan.origin,
        "target": secrets.query(plan.target),
        "fields": [
            {"name": name, "value": value, "in_key": keyed} if value is not None else {"name": name, "removed": True}
            for name, value, keyed in plan.header_edits
        ],
        "key_parts": plan.key_additions,
        "cache": plan.cache,
        "ttl_s": plan.ttl_s,
        "default_ttl_s": plan.default_ttl_s,
        "status_ttls": plan.status_ttls,
        "stale_while_revalidate_s": plan.stale_while_revalidate_s,
        "stale_if_error_s": plan.stale_if_error_s,
        "tags": plan.tag_additions,
        "ignores": [what for what in ("request", "cookies") if getattr(plan, f"ignores_{what}")],
        "storable": plan.is_storable or plan.unstorable_reason,
    }


def _outcome(verdict: Any) -> str:
    if verdict is None or verdict is CONTINUE:
        return "ok"
    if isinstance(verdict, HookFailure):
        return "error"
    if not isinstance(verdict, Response):
        return "wait"
    if verdict.status in (401, 403, 451):
        return "deny"
    return "redirect" if 300 <= verdict.status < 400 else "respond"


def _lacks_keys(exchange: Exchange) -> bool:
    """Whether a gate has refused because there are no keys: here nobody fetches any."""
    return TokenRefusal.KEYS_UNAVAILABLE.value in exchange.ctx.notes.values()


def _skipped(exchange: Exchange, ran: list[Hook], step: str) -> list[str]:
    """Request hooks that did not run: their condition does not hold, or a stage before them has answered."""
    hooks = [hook for hook in exchange.site.pipeline.hooks() if hook.name == "on_request"]
    names = [hook.stage for hook in hooks if hook not in ran]
    why = "an answer came before it" if step == "reply" else "its condition does not hold"
    return [f"{name}: {why}" for name in names]


def _facts(exchange: Exchange) -> dict[str, Any]:
    ctx = exchange.ctx
    return {
        "client": ctx.client,
        "country": ctx.geo.country or "unknown",
        "continent": ctx.geo.continent or "unknown",
        "eu": ctx.geo.is_eu,
        **{fact: getattr(ctx.geo, fact) for fact in ("region", "city", "asn") if getattr(ctx.geo, fact)},
        "variants": ctx.variants,
        "claims": sorted(ctx.claims),  # names only: values may be personal
        "notes": ctx.notes,
    }


def _target(prepared: Prepared, exchange: Exchange, step: str) -> dict[str, Any]:
    if step not in ("fetch", "share"):
        return {"servers": []}
    origin = prepared.config.origins[str(exchange.ctx.plan.origin)]
    return {"servers": [str(server) for server in origin.servers]}


def _answer(exchange: Exchange, step: str) -> dict[str, Any]:
    if step == "wait":
        return {"status": "unknown", "by": "a stage that waits"}
    if _lacks_keys(exchange):
        return {"status": "unknown", "by": "keys that only a running edge has fetched"}
    if step == "fetch":
        return {"status": "unknown", "by": f"origin {exchange.ctx.plan.origin}"}
    if step == "share":
        return {"status": "unknown", "by": f"the store, or origin {exchange.ctx.plan.origin}"}
    answer: dict[str, Any] = {
        "status": exchange.response.status,
        "by": "the edge",
        "headers": exchange.response.headers.items(),
    }
    if exchange.failure is not None:
        answer["reason"] = str(exchange.failure)
    elif exchange.error is not None:
        answer["reason"] = exchange.error
    return answer


# --- for people --------------------------------------------------------------------------------------------------


def _lines(report: dict[str, Any]) -> Iterator[str]:
    request = report["request"]
    yield click.style(f"{request['method']} {request['url']}", bold=True)
    for row in report.get("stages", ()):
        yield from _stage_lines(row)
    for text in report.get("skipped", ()):
        yield click.style(f"  -  {text}", dim=True)
    if "facts" in report:
        yield from _table("facts", report["facts"])
        yield from _table("plan", report["plan"])
        yield from _table("cache", report["cache"])
    answer = report["answer"]
    status = answer["status"]
    colour = "red" if isinstance(status, int) and status >= 400 else "green"
    yield click.style(f"answer: {status} by {answer['by']}", fg=colour, bold=True)
    if "reason" in answer:
        yield f"  {answer['reason']}"
    for name, value in answer.get("headers", ()):
        yield f"  {name}: {value}"


def _stage_lines(row: dict[str, Any]) -> Iterator[str]:
    outcome = click.style(row["outcome"], fg=_COLOURS.get(row["outcome"], "green"))
    yield f"  {'✗' if row['outcome'] == 'error' else '✓'}  {row['stage']}.{row['hook']}  {outcome}"
    for check, outcome in row.get("checks", ()):
        yield click.style(f"       {check}: {outcome}", dim=True)
    for name, value in row["changes"].items():
        yield f"       {name} = {_short(value)}"


def _table(title: str, rows: dict[str, Any]) -> Iterator[str]:
    yield click.style(title, bold=True)
    for name, value in rows.items():
        if value not in ({}, [], None):
            yield f"  {name:10} {_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_short, value))
    if isinstance(value, dict):
        if value.get("removed"):
            return f"without {value['name']}"
        if "in_key" in value:
            return f"{value['name']}: {value['value']}{'' if value['in_key'] else ' (not in the key)'}"
        return ", ".join(f"{name}={_short(each)}" for name, each in value.items())
    if isinstance(value, tuple):
        return "=".join(map(str, value))
    return str(value)
