"""Where a value may go, and how it is written there: by element and attribute, which may be a URL, code or neither."""

import re

# Attributes whose value is a URL.
_URLS = frozenset(
    b"action archive background cite classid codebase data formaction href icon imagesrcset longdesc lowsrc manifest "
    b"ping poster profile src srcset usemap xlink:href".split()
)
# Elements whose URLs bring in code, or turn where others lead: only to this host.
_LOADERS = frozenset(b"applet base embed fencedframe frame iframe image link object portal script use".split())
_HARMLESS_LOADERS = {(b"image", b"href"), (b"image", b"xlink:href")}
_CODE = frozenset(b"style srcdoc http-equiv".split())
# SVG's animations set other attributes, links among them.
_ANIMATIONS = frozenset(b"animate animatecolor animatemotion animatetransform set".split())
# Text behind which a value can no longer choose where a URL leads; the second, whatever element it is of.
_FIXED = re.compile(rb"(?:https?:|mailto:|tel:|[^:/?#\\&]*[/?#])", re.IGNORECASE)
_FIXED_HOST = re.compile(rb"(?:(?:https?:)?//[^/?#\\&{$]+[/?#]|/(?![/\\])|[^:/?#\\&{$]+[/?#]|[?#])", re.IGNORECASE)


def attribute_context(tag: bytes, name: bytes) -> str | None:
    """How a whole value of an attribute is written; None: it is code, and no visitor's value belongs there.

    Names are in lower case; an unknown tag is b"".
    """
    if name.startswith(b"on") or name in _CODE or tag in _ANIMATIONS or (tag == b"meta" and name == b"content"):
        return None
    if name not in _URLS:
        return "quoted"
    return "local_url" if tag in _LOADERS and (tag, name) not in _HARMLESS_LOADERS else "url"


def part_context(tag: bytes, name: bytes, before: bytes, behind: bytes) -> str | None:
    """The same for a value that has text of the page before or behind it, inside the attribute."""
    whole = attribute_context(tag, name)
    if whole is None or whole == "quoted" or not (before or behind):
        return whole
    if before:
        return "url_part" if (_FIXED if whole == "url" else _FIXED_HOST).match(before.lstrip()) else None
    return whole if behind[:1] in ((b"/", b"?", b"#") if whole == "url" else (b"?", b"#")) else None
