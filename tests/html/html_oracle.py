"""What a whole HTML parser makes of a page, to compare with: turbohtml's tree, as text."""

import re

import turbohtml

# Either may stand where browsers have to put something else around it: text is wrapped in what was left open before, and
# comments are put before <body>.
MARKERS = ("<!--M-->", "MMM")
_INFERRED = re.compile(r"</?(?:tbody|tr|colgroup)>")
_SPACE = re.compile(r"\s+")


def tree(page: str) -> str:
    return _normal(turbohtml.parse(page).html)


def ids(page: str) -> list[str]:
    """The ids of all elements, in order, each once. What is inside of a template is not there for selectors."""
    found = (element.attr("id") for element in turbohtml.parse(page).select("[id]"))
    return list(dict.fromkeys(str(one) for one in found))


def edited(page: str, id_: str, action: str, marker: str) -> str:
    """The tree of the page after an element, or its content, has been replaced with the marker."""
    document = turbohtml.parse(page)
    (element, *_) = document.select(f'[id="{id_}"]')
    new = turbohtml.Comment("M") if marker.startswith("<") else turbohtml.Text(marker)
    if action == "inner":
        element.clear()
        element.append(new)
    elif action == "replace":
        element.replace_with(new)
    elif action == "before":
        element.insert_before(new)
    elif action == "after":
        element.insert_after(new)
    elif action == "prepend":
        element.insert(0, new)
    else:
        element.append(new)
    return _normal(document.html)


def _normal(text: str) -> str:
    """Without what a browser infers around parts of tables, and without the spaces at a page's end."""
    return re.sub(r" ?</body>", "</body>", _SPACE.sub(" ", _INFERRED.sub("", text)))
