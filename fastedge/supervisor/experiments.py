"""What the supervisor does for experiments: it keeps the mapping in which exposures are counted, looks whether the file
of settings has changed, and whether visitors are split as the weights say."""

import asyncio
import math
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from fastedge._core.exposures import Row
from fastedge.config import ConfigErrors, EdgeConfig, Sources
from fastedge.config.problems import Problem
from fastedge.config.sources import read_regular
from fastedge.errors import ConfigError
from fastedge.handover import SharedExposures
from fastedge.limits import (
    experiment_settings_bytes_max,
    experiment_settings_check_ms,
    experiment_srm_check_ms,
    experiment_srm_p_max,
    secret_bytes_min,
)
from fastedge.routing.experiment_settings import read_settings
from fastedge.routing.sample_ratio import sample_ratio_p
from fastedge.server.prometheus import Experiment

_KEY = "experiments.exposures_key_env"


class Experiments:
    """`tell(settings)` is called with what the file says now, once it could be read; `told` is that, for workers to
    come, and None where they find it in their sources. Raises ConfigErrors for a secret that is too short."""

    def __init__(
        self, config: EdgeConfig, sources: Sources, tell: Callable[[bytes], None], say: Callable[[str], None]
    ) -> None:
        self._shared = SharedExposures(_hash_key(config, sources), config.experiments.exposure_window_s)
        self.descriptor = self._shared.descriptor
        self.table = self._shared.table
        self.told: bytes | None = None
        self._tell = tell
        self._say = say
        self._is_off: dict[str, bool] = {}
        self._generation = 0
        self._seen: object = None  # of the file, as it was when it was last read
        self._look: asyncio.Task[None] | None = None
        self._look_ms = self._check_ms = -math.inf

    def adopt(self) -> None:
        """A reload has read the file at a time of its own: what it says now may be older or newer than that."""
        self.told = self._seen = None
        self._generation += 1

    def tick(self, now_ms: int, config: EdgeConfig, sources: Sources) -> None:
        """To be called often; `config` and `sources` are what serves now."""
        path = config.experiments.file
        if path is not None and now_ms >= self._look_ms and (self._look is None or self._look.done()):
            self._look_ms = now_ms + experiment_settings_check_ms
            self._look = asyncio.get_running_loop().create_task(self._look_at(path, sources))
        if now_ms >= self._check_ms:
            self._check_ms = now_ms + experiment_srm_check_ms
            self.check_ratios()

    def check_ratios(self) -> None:
        """What cannot be told, at the beginning of a window, stays as it was."""
        for row in self.table.figures():
            p = sample_ratio_p(row.observed, row.expected)
            is_off = self._is_off.get(row.experiment, False) if p is None else p < experiment_srm_p_max
            if is_off != self._is_off.get(row.experiment, False):
                self._say(_ratio_line(row, p or 0.0, is_off))
            self._is_off[row.experiment] = is_off

    def figures(self) -> list[Experiment]:
        """For /metrics."""
        return [
            Experiment(row.experiment, sum(row.observed), self._is_off.get(row.experiment, False))
            for row in self.table.figures()
        ]

    def close(self) -> None:
        if self._look is not None:
            self._look.cancel()
        self._shared.close()

    async def _look_at(self, path: str, sources: Sources) -> None:
        generation = self._generation
        seen, read = await asyncio.to_thread(_read_if_changed, path, self._seen)
        if seen == self._seen or generation != self._generation:
            return
        self._seen = seen
        shown = sources.shown(path)
        if isinstance(read, str):
            self._say(f"{shown}: {read}: experiments stay as they were")
        elif read != (sources.files[path] if self.told is None else self.told):
            try:
                read_settings(shown, read)
            except ConfigError as error:
                self._say(f"{error}: experiments stay as they were")
            else:
                self.told = read
                self._say(f"{shown}: read anew, for experiments to go by")
                self._tell(read)


def _read_if_changed(path: str, seen: object) -> tuple[object, bytes | str]:
    """What the file looks like from outside; and, if that is not `seen`, its bytes, or why they cannot be had."""
    try:
        status = Path(path).stat()
        now = (status.st_mtime_ns, status.st_size, status.st_ino)
        return now, b"" if now == seen else read_regular(path, experiment_settings_bytes_max)
    except OSError as error:
        return error.errno, (error.strerror or "cannot be read").lower()
    except ValueError as error:
        return now, str(error)


def _hash_key(config: EdgeConfig, sources: Sources) -> bytes:
    name = config.experiments.exposures_key_env
    if name is None:
        return os.urandom(32)
    secret = sources.variables[name]
    if len(secret) < secret_bytes_min:
        problem = f"holds {len(secret)} bytes, at least {secret_bytes_min} are expected"
        raise ConfigErrors([Problem(sources.file, _KEY, problem)])
    return blake2b(secret, digest_size=32).digest()


def _ratio_line(row: Row, p: float, is_off: bool) -> str:
    counts = f"{_listed(row.observed)} visitors where the weights say {_listed(row.expected)}"
    if is_off:
        return f"experiment {row.experiment}: the split is off, {counts} (p = {p:.1g}): do not trust its outcome"
    return f"experiment {row.experiment}: the split is as it should be again, {counts}"


def _listed(counts: "list[int] | list[float]") -> str:
    return ", ".join(f"{count:.0f}" for count in counts)
