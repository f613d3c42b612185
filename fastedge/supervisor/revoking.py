"""`/v1/revocations`: what is revoked on the whole host; in force on every worker, and on disk, when it is answered."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastedge._core.revocations import RevocationsFull
from fastedge.clock import now
from fastedge.config import ConfigErrors, EdgeConfig, Sources
from fastedge.config.problems import Problem
from fastedge.errors import ConfigError
from fastedge.handover import SharedRevocations
from fastedge.identity.revocations import Change
from fastedge.revocation_journal import Journal, open_journal
from fastedge.revocation_list import KEY, packed, read_list


class Revoker:
    """Owns the table, of which it is the only writer, and the journal. Made with what both files say.

    Raises ConfigErrors for a file, or a journal, that cannot be used.
    """

    def __init__(self, config: EdgeConfig, sources: Sources, warn: Callable[[str], None]) -> None:
        self._shared = SharedRevocations(config.revocations.entries_max)
        self.table = self._shared.table
        self.descriptor = self._shared.descriptor
        self._lock = asyncio.Lock()  # requests stand in the journal in the order in which they came into force
        self._journal: Journal | None = None
        if config.revocations.journal is not None:
            self._journal = self._opened(Path(config.revocations.journal), sources, warn)
        self.take_file(read_list(self.table, config, sources), sources)

    def read_file(self, config: EdgeConfig, sources: Sources) -> bytes:
        """What `take_file` needs, beside the loop. Raises ConfigErrors."""
        return read_list(self.table, config, sources)

    def take_file(self, records: bytes, sources: Sources) -> None:
        """From now on the file says this alone. Raises ConfigErrors if it does not fit; then nothing has changed."""
        try:
            self.table.replace_file(records, now())
        except RevocationsFull as error:
            raise ConfigErrors([Problem(sources.file, KEY, str(error))]) from None

    async def change(self, change: Change) -> Mapping[str, Any]:
        """In force when it returns; `durable` says whether a restart will know of it. Raises RevocationsFull."""
        async with self._lock:
            self.table.revoke(packed(self.table, change.revoke), now())
            restored, in_file = self.table.restore(packed(self.table, change.restore), now())
            durable = None
            if self._journal is not None:
                durable = await asyncio.to_thread(self._journal.append, change, now())
        counts = Counter(one.kind for one in change.revoke)
        return {
            "revoked": {kind: counts[kind] for kind in ("jti", "sub", "everyone")},
            "restored": restored,
            "still_in_file": in_file,
            "in_force": self.table.held(now()).in_force,
            "durable": durable,
        }

    def figures(self) -> Mapping[str, int]:
        """For /metrics."""
        return {"revocations": self.table.held(now()).in_force, "revocations_capacity": self.table.entries_max}

    def status(self) -> Mapping[str, Any]:
        """Counts: names are personal."""
        held = self.table.held(now())
        return {
            **held._asdict(),
            "capacity": self.table.entries_max,
            "durable": None if self._journal is None else not self._journal.is_failing,
        }

    def close(self) -> None:
        self._shared.close()
        if self._journal is not None:
            self._journal.close()

    def _opened(self, path: Path, sources: Sources, warn: Callable[[str], None]) -> Journal:
        try:
            journal, held = open_journal(path, now(), warn)
            self.table.revoke(packed(self.table, held), now())
        except (ConfigError, RevocationsFull) as error:
            raise ConfigErrors([Problem(sources.file, "revocations.journal", str(error))]) from None
        return journal
