"""A page as newspapers have them: styles, scripts, a thousand tags, and elements for what is a visitor's own."""

import random
from collections.abc import Sequence

WORDS = (
    b"the of and a to in is was for on that with as by at from it an be are this which or had not have one new first "
    b"after time two more other people into only year when over some world most such where between through city later"
).split()


def own_content(slot: str) -> bytes:
    """What the page itself says where the slot is."""
    return b"<p>The page's own content of %b.</p>" % slot.encode()


def page_of(size: int, slots: Sequence[str]) -> bytes:
    """At least `size` bytes, the same ones each time. A slot is an element that `data-edge` names."""
    draw = random.Random(1)

    def text(count: int) -> bytes:
        return b" ".join(draw.choice(WORDS) for _ in range(count)).capitalize() + b"."

    parts = [
        b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>The daily page</title>\n<style>\n'
    ]
    parts += [b".c%d { margin: %dpx; }\n" % (number, number) for number in range(60)]
    parts += [b'</style>\n<script>\nwindow.config = {"a": [1, 2], "b": "<div>"};\n']
    parts += [b"function f%d(x) { if (x < %d) { return x; } return 0; }\n" % (number, number) for number in range(40)]
    parts += [b'</script>\n</head>\n<body class="page">\n<header id="top"><ul>']
    parts += [b'<li><a href="/section/%d" class="link">Section %d</a></li>' % (number, number) for number in range(20)]
    parts += [b"</ul></header>\n<main>\n"]
    length, story, waiting = sum(map(len, parts)), 0, list(slots)
    while length < size:
        if story % 5 == 1 and waiting:
            slot = waiting.pop(0)
            parts.append(b'<div class="slot" data-edge="%b">%b</div>\n' % (slot.encode(), own_content(slot)))
        parts.append(
            b'<article class="story" id="story-%d">\n<h2><a href="/story/%d?from=home" title="Story %d">%b</a></h2>\n'
            b'<img src="/img/%d.jpg" alt="%b" width="320" height="180">\n<p>%b</p>\n<p>%b <b>%b</b> %b</p>\n'
            b'<p class="meta"><span class="author">%b</span> <time datetime="2026-11-25">today</time></p>\n</article>\n'
            % (story, story, story, text(6), story, text(4), text(40), text(30), text(3), text(12), text(2))
        )
        length, story = length + len(parts[-1]), story + 1
    return b"".join([*parts, b"</main>\n<footer><p>&copy; 2026</p></footer>\n</body>\n</html>\n"])
