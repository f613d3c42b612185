"""What the admin listener may do with the supervisor."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fastedge._core.revocations import RevocationsFull
from fastedge.clock import now
from fastedge.identity.revocations import parse_change
from fastedge.supervisor.purging import Purger, absolute_url, parse_purging
from fastedge.supervisor.reload import Outcome, Reloader, Result
from fastedge.supervisor.supervisor import Supervisor
from fastedge.supervisor.table import State

# A refused reload is the content's fault (RFC 9110 §15.5.21), a second one at the same time a conflict (§15.5.10).
_STATUS_BY_RESULT = {Result.DONE: 200, Result.REFUSED: 422, Result.BUSY: 409}


class SupervisorControls:
    def __init__(self, supervisor: Supervisor, reloader: Reloader) -> None:
        self._supervisor = supervisor
        self._reloader = reloader
        self._purger = Purger(supervisor.purges.table, supervisor.purge_file, supervisor.count)

    @property
    def is_alive(self) -> bool:
        return bool(self._supervisor.table.of_state(State.READY))

    @property
    def is_ready(self) -> bool:
        return self._supervisor.table.is_complete and not self._supervisor.table.stopping

    @property
    def token(self) -> bytes | None:
        admin = self._supervisor.config.admin
        if admin is None or admin.token_env is None:
            return None
        return self._supervisor.sealed.sources.variables[admin.token_env]

    def metrics(self) -> bytes:
        return self._supervisor.render_metrics()

    def status(self) -> Mapping[str, Any]:
        return self._supervisor.status()

    async def reload(self) -> tuple[int, Mapping[str, Any]]:
        outcome: Outcome = await self._reloader.reload()
        return _STATUS_BY_RESULT[outcome.result], {
            "result": outcome.result.value,
            "generation": outcome.generation,
            "errors": [msgspec.to_builtins(problem) for problem in outcome.problems],
        }

    async def purge(self, body: bytes) -> tuple[int, Mapping[str, Any]]:
        try:
            purging = parse_purging(body)
        except ValueError as error:
            return 400, {"error": str(error)}
        return 200, await self._purger.purge(purging)

    async def revoke(self, body: bytes) -> tuple[int, Mapping[str, Any]]:
        try:
            return 200, await self._supervisor.revoker.change(parse_change(body, now()))
        except ValueError as error:
            return 400, {"error": str(error)}
        except RevocationsFull as error:
            return 507, {"error": str(error)}

    async def revocations(self) -> tuple[int, Mapping[str, Any]]:
        return 200, self._supervisor.revoker.status()

    async def inspect(self, url: str) -> tuple[int, Mapping[str, Any]]:
        try:
            normal = absolute_url(url).decode()
        except ValueError as error:
            return 400, {"error": f"{error} - in the parameter `url`"}
        return 200, {"url": normal, "workers": await self._supervisor.inspect(normal)}
