"""From a page and slots to a template: what each action does, what is left alone and why."""

import gzip

import pytest

from fastedge.errors import ConfigError
from fastedge.html import PROBLEMS, Fragment, PageRules, Slot, compile_page
from fastedge.limits import html_bytes_max, html_depth_max, html_found_max, html_marks_max, html_rules_max

PAGE = b'<!doctype html><body><ul><li>a<li id="x" class="old">b<li>c</ul></body>'


def render(page, *slots, charset="utf-8", **values):
    """The page with these values, which is the same in every form."""
    template = compile_page(page, PageRules(slots), charset)
    given = tuple(values.get(name) for name in template.inputs)
    whole = template.render_bytes(given)
    assert b"".join(template.render(given)) == whole
    assert gzip.decompress(template.render_gzip(given)) == whole
    assert template.render_bytes((None,) * len(given)) == page
    return whole


def problems(page, *slots, charset="utf-8"):
    found = compile_page(page, PageRules(slots), charset).problems
    assert {reason for reason, _, _ in found} <= set(PROBLEMS)
    return list(dict.fromkeys(reason for reason, _, _ in found))


@pytest.mark.parametrize(
    ("action", "middle"),
    [
        ("inner", b'<li>a<li id="x" class="old">&lt;V&gt;<li>c'),
        ("replace", b"<li>a</li>&lt;V&gt;<li>c"),
        ("remove", b"<li>a</li><li>c"),
        ("before", b'<li>a</li>&lt;V&gt;<li id="x" class="old">b<li>c'),
        ("after", b'<li>a<li id="x" class="old">b</li>&lt;V&gt;<li>c'),
        ("prepend", b'<li>a<li id="x" class="old">&lt;V&gt;b<li>c'),
        ("append", b'<li>a<li id="x" class="old">b&lt;V&gt;<li>c'),
    ],
)
def test_action_writes_the_end_tags_that_the_page_leaves_to_the_browser(action, middle):
    assert render(PAGE, Slot("v", "#x", action), v="<V>") == PAGE[:25] + middle + PAGE[-12:]


@pytest.mark.parametrize(
    ("tag", "attribute", "made"),
    [
        (b"<img id=x src=a.png>", "src", b'<img id=x src="/b.png">'),
        (b"<img id=x src='a.png' alt>", "src", b'<img id=x src="/b.png" alt>'),
        (b"<img id=x alt>", "alt", b'<img id=x alt="/b.png">'),
        (b"<img id=x>", "title", b'<img title="/b.png" id=x>'),
        (b"<img id=x src=a src=b>", "src", b'<img id=x src="/b.png" src=b>'),
    ],
)
def test_attribute_is_set_however_it_was_written(tag, attribute, made):
    assert render(tag, Slot("v", "#x", "set_attribute", attribute), v="/b.png") == made


def test_end_tags_at_the_end_of_the_page_are_those_of_all_that_is_open():
    assert render(b"<ul><li id=x>a<p>b", Slot("v", "#x", "after"), v="V") == b"<ul><li id=x>a<p>b</p></li>V"


def test_attribute_is_removed_where_it_is():
    slot = Slot("v", "[id]", "remove_attribute", "hidden")
    assert render(b"<p id=x hidden class=a>b<p id=y>", slot, v="yes") == b"<p id=x  class=a>b<p id=y>"


def test_attribute_is_not_removed_where_the_rest_would_mean_something_else():
    assert problems(b'<p id=x b c="1"=d>', Slot("v", "#x", "remove_attribute", "c")) == ["context"]


def test_slot_without_a_selector_is_found_by_its_name():
    page = b'<body><p data-edge=v>own</p><!-- edge:v --><i>own</i><!-- /edge:v --> {{edge.v}} <a title="{{edge.v}}">'
    made = render(page, Slot("v"), v="V")
    assert made == b'<body><p data-edge=v>V</p><!-- edge:v -->V<!-- /edge:v --> V <a title="V">'


def test_outer_slot_wins_if_it_has_a_value():
    page = b"<div id=a>1<p id=b>2</p>3</div>"
    slots = Slot("outer", "#a"), Slot("inner", "#b")
    assert render(page, *slots, outer="O", inner="I") == b"<div id=a>O</div>"
    assert render(page, *slots, inner="I") == b"<div id=a>1<p id=b>I</p>3</div>"


def test_slots_that_replace_nothing_are_all_there_in_order():
    slots = [Slot(action, "#a", action) for action in ("append", "after", "before", "prepend")] + [
        Slot("two", "#a", "before")
    ]
    values = {"append": "4", "after": "5", "before": "1", "prepend": "3", "two": "2"}
    assert render(b"<div id=a>-</div>", *slots, **values) == b"12<div id=a>3-4</div>5"


def test_first_of_two_slots_of_one_place_wins():
    slots = Slot("one", "#a"), Slot("two", "p")
    assert render(b"<p id=a>-</p>", *slots, one="1", two="2") == b"<p id=a>1</p>"
    assert render(b"<p id=a>-</p>", *slots, two="2") == b"<p id=a>2</p>"


def test_attribute_of_an_element_whose_content_is_replaced():
    slots = Slot("href", "a", "set_attribute", "href"), Slot("text", "a")
    assert render(b"<a href=x>own</a>", *slots, href="/y", text="T") == b'<a href="/y">T</a>'


def test_raw_value_and_fragment_go_in_as_they_are():
    slot = Slot("v", "p", raw=True)
    assert render(b"<p>own</p>", slot, v="<b>V</b>") == b"<p><b>V</b></p>"
    assert render(b"<p>own</p>", slot, v=Fragment(b"<b>V</b>" * 200)) == b"<p>" + b"<b>V</b>" * 200 + b"</p>"


def test_fragment_is_escaped_where_the_slot_is_not_raw():
    assert render(b"<p>own</p>", Slot("v", "p"), v=Fragment(b"<b>")) == b"<p>&lt;b&gt;</p>"


@pytest.mark.parametrize(
    ("page", "slot", "reason"),
    [
        (b"<div id=x><b>a</div>b", Slot("v", "#x"), "unbalanced"),
        (b"<b><p id=x></b></p>", Slot("v", "#x"), "unbalanced"),
        (b"<p><b>a<p id=x>b</p>", Slot("v", "#x", "append"), "unbalanced"),
        (b"<div id=x>", Slot("v", "#x"), "unbalanced"),
        (b"<p id=x>a <a href='", Slot("v", "#x"), "unbalanced"),
        (b"<template><p id=x></p></template>", Slot("v", "#x"), "doubtful"),
        (b"<table><p id=x></p></table>", Slot("v", "#x"), "doubtful"),
        (b"<table id=x></table>", Slot("v", "#x"), "doubtful"),
        (b"<table><tr id=x><td>a</table>", Slot("v", "#x", "replace"), "doubtful"),
        (b"<frameset><p id=x></p>", Slot("v", "#x"), "doubtful"),
        (b"<br id=x>", Slot("v", "#x"), "void"),
        (b"<script id=x>a</script>", Slot("v", "#x"), "code"),
        (b"<svg><style id=x>a</style></svg>", Slot("v", "#x"), "code"),
        (b"<script>{{edge.v}}</script>", Slot("v"), "code"),
        (b"<a onclick='f(\"{{edge.v}}\")'>", Slot("v"), "code"),
        (b"<!-- {{edge.v}} -->", Slot("v"), "context"),
        (b"<a {{edge.v}}>", Slot("v"), "context"),
        (b"a <{{edge.v}}", Slot("v"), "context"),
        (b"<title></tit{{edge.v}}</title>", Slot("v"), "context"),
        (b"a <<b id=x></b>", Slot("v", "#x", "before"), "context"),
        (b"<a class=a-{{edge.v}}>", Slot("v"), "unquoted"),
        (b"<a href='java{{edge.v}}'>", Slot("v"), "url"),
        (b"{{edge.w}}", Slot("v"), "unknown_name"),
        (b"<!-- edge:w -->", Slot("v"), "unknown_name"),
        (b"<select><svg>{{edge.v}}", Slot("v"), "doubtful"),
        (b"<frameset><!-- edge:v --><!-- /edge:v -->", Slot("v"), "doubtful"),
        (b"<body><!-- edge:v -->", Slot("v"), "unmatched"),
        (b"<body><!-- /edge:v -->", Slot("v"), "unmatched"),
        (b"<body><p><!-- edge:v --></p><!-- /edge:v -->", Slot("v"), "unbalanced"),
    ],
)
def test_what_cannot_be_done_is_left_alone_and_the_reason_told(page, slot, reason):
    assert problems(page, slot) == [reason]
    assert render(page, slot, v="<V>") == page


def test_page_in_utf_16_is_left_alone():
    page = "<p id=x>a</p>".encode("utf-16")
    assert problems(page, Slot("v", "#x")) == ["encoding"]
    assert problems(b"<p id=x>a</p>", Slot("v", "#x"), charset="iso-2022-jp") == ["encoding"]


@pytest.mark.parametrize(
    ("page", "charset", "made"),
    [
        ("<p>ä</p>".encode(), "utf-8", "<p>é€</p>".encode()),
        ("<p>ä</p>".encode(), "UTF8", "<p>é€</p>".encode()),
        ("\ufeff<p>ä</p>".encode(), "latin1", "\ufeff<p>é€</p>".encode()),
        ("<p>ä</p>".encode("latin-1"), "iso-8859-1", b"<p>&#233;&#8364;</p>"),
        ("<p>ソ</p>".encode("shift_jis"), "Shift_JIS", b"<p>&#233;&#8364;</p>"),
        (b"<meta charset='utf-8'><p></p>", None, "<meta charset='utf-8'><p>é€</p>".encode()),
        (b"<p></p>", None, b"<p>&#233;&#8364;</p>"),
    ],
)
def test_value_is_written_in_the_encoding_of_the_page(page, charset, made):
    assert render(page, Slot("v", "p"), charset=charset, v="é€") == made


# --- bounds ------------------------------------------------------------------------------------------------------


def test_page_that_is_too_large_is_left_alone():
    page = b"<p id=x>" + b"a" * html_bytes_max
    assert problems(page, Slot("v", "#x")) == ["too_large"]


def test_elements_that_are_too_deep_are_left_alone():
    page = b"<body>" + b"<div>" * html_depth_max + b"<p id=x>a</p>"
    assert problems(page, Slot("v", "#x")) == ["doubtful"]
    assert render(page, Slot("v", "#x"), v="V") == page


def test_elements_and_placeholders_beyond_the_bounds_are_left_alone():
    many = b"<p>a</p>" * (html_found_max + 1)
    assert problems(many, Slot("v", "p")) == ["too_many"]
    assert render(many, Slot("v", "p"), v="V") == b"<p>V</p>" * html_found_max + b"<p>a</p>"
    marks = b"{{edge.v}}" * (html_marks_max + 1)
    assert render(marks, Slot("v"), v="V") == b"V" * html_marks_max + b"{{edge.v}}"


def test_rules_beyond_the_bounds_are_a_config_error():
    with pytest.raises(ConfigError, match="at most 64 slots"):
        PageRules([Slot("v")] * (html_rules_max + 1))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "a b"}, "a slot's name"),
        ({"name": ""}, "a slot's name"),
        ({"name": "a", "action": "wrap"}, "action 'wrap' is none of"),
        ({"name": "a", "action": "set_attribute"}, "`attribute` belongs to"),
        ({"name": "a", "attribute": "href"}, "`attribute` belongs to"),
        ({"name": "a", "action": "set_attribute", "attribute": "a b"}, "expected an attribute's name"),
        ({"name": "a", "action": "set_attribute", "attribute": "onclick"}, "only raw=True"),
        ({"name": "a", "action": "set_attribute", "attribute": "style"}, "only raw=True"),
    ],
)
def test_slot_that_cannot_be_is_a_config_error(options, text):
    with pytest.raises(ConfigError, match=text):
        Slot(**options)


def test_wrong_number_of_values_is_our_own_mistake():
    template = compile_page(b"<p>", PageRules([Slot("v", "p")]), "utf-8")
    with pytest.raises(ValueError, match="expected 1 values, found 0"):
        template.render(())


def test_cost_grows_with_the_slots_and_the_compressed_spans():
    page = b"<p>own</p>" + bytes(range(32, 127)) * 100
    template = compile_page(page, PageRules([Slot("v", "p")]), "utf-8")
    before = template.cost_bytes
    assert 0 < before < 2000
    template.compress()
    assert before < template.cost_bytes < before + len(page)
    assert template.is_compressed
