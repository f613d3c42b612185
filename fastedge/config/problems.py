"""What is wrong with a configuration: all of it at once, each with file, key, what was found and what is expected.

A message must never repeat a secret: what stands below `keys` or `credentials`, and user information in an address, is
not shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from fastedge.errors import ConfigError
from fastedge.limits import config_known_names_max, config_problems_max, config_shown_chars_max


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `file` is where it is written, `key` its dotted path there ("" for the file as a whole)."""

    file: str
    key: str
    text: str

    def __str__(self) -> str:
        line = ": ".join(part for part in (self.file, self.key, self.text) if part)
        # Names and values come out of a file: none of them may move a terminal's cursor or begin a new line of a log.
        return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


class ConfigErrors(ConfigError):
    """A configuration cannot be used; `problems` holds every reason, the text is one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:config_problems_max]]
        if len(self.problems) > config_problems_max:
            lines.append(f"and {len(self.problems) - config_problems_max} more")
        super().__init__("\n".join(lines))


class Problems:
    """Collects problems while a document is read; a key that came from `--set` is blamed on it, not on the file."""

    def __init__(self, file: str, overridden: Iterable[str] = ()) -> None:
        self.found: list[Problem] = []
        self._file = file
        self._overridden = tuple(overridden)

    def add(self, key: str, text: str) -> None:
        self.found.append(Problem(self._file_of(key), key, text))

    def mismatch(self, key: str, value: object, expected: str) -> None:
        """`value` stands where something else is expected."""
        self.add(key, f"found {shown(key, value)}, expected {expected}")

    def unknown(self, key: str, word: str, what: str, known: Iterable[str]) -> None:
        """`word` is no `what` (a key, the name of an origin) that is known."""
        # Comparing words is slow: it ends where nobody would read what comes of it.
        is_read = len(self.found) < config_problems_max
        self.add(key, f"unknown {what}; {did_you_mean(word, known)}" if is_read else f"unknown {what}")

    def _file_of(self, key: str) -> str:
        if any(key == path or key.startswith((f"{path}.", f"{path}[")) for path in self._overridden):
            return "--set"
        return self._file


def shown(key: str, value: object) -> str:
    """A value as a message may repeat it: short, without secrets."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _shown_text(value) if not _is_secret(key) else f"a string of {len(value)} characters"
    if isinstance(value, int) and value.bit_length() > 64:  # turning digits into text has a limit of its own
        return "an integer of more than 64 bits"
    return str(value) if not _is_secret(key) else "something else"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the likeliest meant, else all that are known."""
    known = sorted(known)
    close = get_close_matches(word[:config_shown_chars_max], known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    more = ", …" if len(known) > config_known_names_max else ""
    return f"known: {', '.join(known[:config_known_names_max])}{more}" if known else "there are none"


def _is_secret(key: str) -> bool:
    # A secret pasted where the name of a variable or a file belongs must not reach the terminal or the log.
    return key.startswith(("keys.", "credentials.")) or key == "admin.token_env"


def _shown_text(value: str) -> str:
    if "@" in value:  # user information of an address
        value = f"…@{value.rpartition('@')[2]}"
    if len(value) > config_shown_chars_max:
        value = value[:config_shown_chars_max] + "…"
    return f'"{value}"'
