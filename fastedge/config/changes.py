"""What a reload cannot do: the keys whose change is in force only after fastedge was started anew."""

from typing import Any

from fastedge.config.schema import EdgeConfig
from fastedge.config.sections import FIELDS, dotted


def needs_restart(old: EdgeConfig, new: EdgeConfig) -> list[str]:
    """The changes that cannot be made live, one line each; an empty list says that a reload can do all."""
    changed = []
    for section in ("server", "revocations", "cache", "log", "admin"):
        before, after = getattr(old, section), getattr(new, section)
        if (before is None) != (after is None):
            changed.append(f"{section}: the section was {'added' if before is None else 'removed'}")
            continue
        for field in FIELDS[type(before)] if before is not None else ():
            was, asked = getattr(before, field.name), getattr(after, field.name)
            if field.restart and was != asked:
                changed.append(f"{dotted(section, field.name)}: {_text(was)} runs, {_text(asked)} is asked")
    return changed


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    return "none" if value is None else str(value)
