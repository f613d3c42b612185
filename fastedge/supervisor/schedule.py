"""When the keys of one source are fetched, and how long they are good. Decides only: times (monotonic seconds) and
chance (from 0 to below 1) are arguments."""

from dataclasses import dataclass
from math import inf

from fastedge.config.schema import Key
from fastedge.limits import (
    keys_early_s,
    keys_lifetime_s_max,
    keys_lifetime_s_min,
    keys_retry_s_max,
    keys_retry_s_min,
    keys_retry_without_s_max,
)


@dataclass(slots=True)
class KeySchedule:
    """Call what happened. `options` are those of `[keys.NAME]`, and may change on the way."""

    options: Key
    since_s: float
    due_s: float = -inf  # of the next fetch
    good_s: float | None = None  # of the last good one
    failures: int = 0  # since then
    early_s: float = -inf  # of the last fetch that somebody asked for

    def fetched(self, now_s: float, lifetime_s: float, chance: float) -> None:
        """A good set, or word that the last one is still good, for so long."""
        self.good_s, self.failures = now_s, 0
        # Who has set refresh_s lower than the bound has said that this often is not too often.
        shortest_s = min(keys_lifetime_s_min, self.options.refresh_s)
        lifetime_s = min(max(lifetime_s, shortest_s), keys_lifetime_s_max, self.options.keep_s)
        self.due_s = now_s + lifetime_s * (0.75 + 0.1 * chance)  # hosts that began together do not stay together

    def failed(self, now_s: float, chance: float) -> None:
        self.failures += 1
        longest_s = keys_retry_without_s_max if self.is_over(now_s) else keys_retry_s_max
        pause_s = min(keys_retry_s_min << min(self.failures - 1, 16), longest_s)
        self.due_s = now_s + pause_s * (1 - 0.1 * chance)

    def asks_early(self, now_s: float) -> bool:
        """Whether a fetch out of turn may begin now; it is taken to have begun."""
        if self.early_pause_s(now_s):
            return False
        self.early_s = now_s
        return True

    def early_pause_s(self, now_s: float) -> float:
        """How long no fetch out of turn is allowed."""
        return max(0.0, self.early_s + keys_early_s - now_s)

    def is_over(self, now_s: float) -> bool:
        """Whether the last good set is too old to be used."""
        return self.good_s is None or now_s >= self.good_s + self.options.keep_s

    def age_s(self, now_s: float) -> float:
        """Since the last good fetch; where there was none, since one was wanted."""
        return now_s - (self.since_s if self.good_s is None else self.good_s)
