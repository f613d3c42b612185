"""What a policy personalises on its pages: slots, each with a place, an action and a way of writing its value."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastedge._core.htmlselectors import Selectors
from fastedge.errors import ConfigError
from fastedge.html.contexts import attribute_context
from fastedge.html.selectors import parse_selector
from fastedge.limits import html_name_bytes_max, html_rules_max

CONTENT_ACTIONS = frozenset({"inner", "prepend", "append"})
ATTRIBUTE_ACTIONS = frozenset({"set_attribute", "remove_attribute"})
ACTIONS = CONTENT_ACTIONS | ATTRIBUTE_ACTIONS | {"replace", "before", "after", "remove"}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_ATTRIBUTE = re.compile(r"[A-Za-z_:][A-Za-z0-9_:.-]*")


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a page that is somebody's own.

    `at`: a selector. Left out: elements with `data-edge="NAME"`, what is between `<!-- edge:NAME -->` and
    `<!-- /edge:NAME -->`, and `{{edge.NAME}}`.
    `action`: replace, inner, before, after, prepend, append, remove, set_attribute or remove_attribute.
    `raw`: its value is HTML, and is not escaped. In attributes it may be code or any URL; quotes are escaped even so.
    """

    name: str
    at: str | None = None
    action: str = "inner"
    attribute: str = ""
    raw: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > html_name_bytes_max:
            raise ConfigError(
                f"a slot's name is 1 to {html_name_bytes_max} letters, digits, - and _: {self.name!r:.80} is not"
            )
        if self.action not in ACTIONS:
            raise ConfigError(f"slot {self.name!r}: action {self.action!r:.40} is none of {', '.join(sorted(ACTIONS))}")
        if (self.action in ATTRIBUTE_ACTIONS) != bool(self.attribute):
            raise ConfigError(f"slot {self.name!r}: `attribute` belongs to set_attribute and remove_attribute")
        if self.attribute and not _ATTRIBUTE.fullmatch(self.attribute):
            raise ConfigError(f"slot {self.name!r}: expected an attribute's name, found {self.attribute!r:.80}")
        if (
            self.action == "set_attribute"
            and not self.raw
            and attribute_context(b"", self.attribute.lower().encode()) is None
        ):
            raise ConfigError(f"slot {self.name!r}: {self.attribute!r} is code; only raw=True may set it")


@dataclass(frozen=True, slots=True)
class PageRules:
    """All slots of a policy, compiled; `esi`: whether ESI 1.0 is processed."""

    slots: Sequence[Slot] = ()
    esi: bool = False
    selectors: Selectors = field(init=False, repr=False, compare=False)
    named: dict[str, Slot] = field(init=False, repr=False, compare=False)  # those without a selector

    def __post_init__(self) -> None:
        if len(self.slots) > html_rules_max:
            raise ConfigError(f"a policy has at most {html_rules_max} slots, found {len(self.slots)}")
        named = {slot.name: slot for slot in reversed(self.slots) if slot.at is None}
        parsed = [parse_selector(slot.at or f'[data-edge="{slot.name}"]') for slot in self.slots]
        object.__setattr__(self, "slots", tuple(self.slots))
        object.__setattr__(self, "named", named)
        object.__setattr__(self, "selectors", Selectors(parsed))
