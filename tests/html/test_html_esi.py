"""ESI 1.0: what each tag does with values, without them, and where it cannot be understood."""

import gzip

import pytest

from fastedge.html import Include, PageRules, Slot, Variable, compile_page
from fastedge.html.expressions import EsiError, parse_expression, parse_variable
from fastedge.limits import esi_depth_max

RULES = PageRules(esi=True)
GERMAN = Variable("GEO", "country")


def render(page, facts=None, includes=None, rules=RULES, problems=()):
    """The page for a visitor: facts by variable's key, includes by URL."""
    template = compile_page(page.encode(), rules, "utf-8")
    assert template.problems == problems
    facts, includes = facts or {}, includes or {}

    def value(wanted):
        if isinstance(wanted, Include):
            get = lambda variable: facts.get(variable.key)  # noqa: E731
            return includes.get(wanted.url(get)) or includes.get(wanted.url(get, alternative=True))
        return facts.get(wanted.key if isinstance(wanted, Variable) else wanted)

    values = tuple(map(value, template.inputs))
    whole = template.render_bytes(values)
    assert gzip.decompress(template.render_gzip(values)) == whole
    return whole.decode()


def test_vars_are_replaced_and_escaped_in_text_and_attributes():
    page = "<esi:vars><p>Hi $(HTTP_COOKIE{name})!</p><img src='/$(GEO{country}).png' alt=\"$(HTTP_COOKIE{name})\"></esi:vars>"
    made = render(page, {"name": "<Bob>", "country": "D/E"})
    assert made == "<p>Hi &lt;Bob&gt;!</p><img src='/D%2FE.png' alt=\"&lt;Bob&gt;\">"


def test_variable_that_is_absent_is_its_default_or_nothing():
    assert (
        render("<esi:vars>$(HTTP_COOKIE{a}|guest) $(QUERY_STRING{b}|'two words') $(HTTP_HOST)</esi:vars>")
        == "guest two words "
    )


def test_variables_outside_of_esi_vars_are_text():
    assert (
        render("$(HTTP_COOKIE{a}) <script>$(HTTP_HOST)</script><esi:vars></esi:vars>")
        == "$(HTTP_COOKIE{a}) <script>$(HTTP_HOST)</script>"
    )


def test_variable_in_a_script_is_left_alone():
    page = "<esi:vars><script>var a = '$(HTTP_COOKIE{a})'</script></esi:vars>"
    assert (
        render(page, {"a": "';x"}, problems=(("code", "HTTP_COOKIE{a}", 27),))
        == "<script>var a = '$(HTTP_COOKIE{a})'</script>"
    )


def test_remove_comment_and_hidden_markup():
    page = '<p>1</p><esi:remove><a href="x">2</a></esi:remove><esi:comment text="3"/><!--esi <p>4</p><esi:remove>5</esi:remove>--><!-- 6 -->'
    assert render(page) == "<p>1</p> <p>4</p><!-- 6 -->"


def test_include_is_its_value_or_nothing():
    page = 'a<esi:include src="/f?c=$(GEO{country})" alt="/g" maxwait="250"/>b<esi:include src="/h"></esi:include>'
    template = compile_page(page.encode(), RULES, "utf-8")
    assert template.inputs == (GERMAN, Include(("/f?c=", GERMAN), ("/g",), False, 250), Include(("/h",)))
    assert render(page, {"country": "D E"}, {"/f?c=D%20E": "<b>F</b>"}) == "a<b>F</b>b"
    assert render(page, {}, {"/g": "G", "/h": "H"}) == "aGbH"
    assert render(page) == "ab"


CHOOSE = """<esi:choose> dropped
<esi:when test="$(GEO{country}) == 'DE'">German</esi:when>
<esi:when test="$(HTTP_COOKIE{age}) >= 18 &amp; !($(HTTP_COOKIE{vip}) == 'no')">adult</esi:when>
<esi:otherwise>anyone</esi:otherwise></esi:choose>."""


@pytest.mark.parametrize(
    ("facts", "made"),
    [
        ({"country": "DE", "age": "30"}, "German."),
        ({"country": "FR", "age": "30"}, "adult."),
        ({"age": "9"}, "anyone."),
        ({"age": "30", "vip": "no"}, "anyone."),
        ({}, "anyone."),
    ],
)
def test_first_branch_that_holds_is_chosen(facts, made):
    assert render(CHOOSE, facts) == made


def test_no_branch_that_holds_is_nothing():
    assert render("a<esi:choose><esi:when test=\"'x'=='y'\">b</esi:when></esi:choose>c") == "ac"


TRY = """<esi:try><esi:attempt>A <esi:include src="/a"/><esi:include src="/o" onerror="continue"/> B</esi:attempt>
<esi:except>sorry <esi:include src="/b"/></esi:except></esi:try>."""


def test_attempt_that_fails_leaves_nothing_behind():
    assert render(TRY, {}, {"/a": "1", "/o": "2", "/b": "3"}) == "A 12 B."
    assert render(TRY, {}, {"/a": "1"}) == "A 1 B."
    assert render(TRY, {}, {"/b": "3"}) == "sorry 3."
    assert render(TRY) == "sorry ."


def test_tries_inside_one_another_fail_one_by_one():
    page = f"<esi:try><esi:attempt>out {TRY}<esi:include src='/c'/></esi:attempt><esi:except>all</esi:except></esi:try>"
    assert render(page, {}, {"/b": "B", "/c": "C"}) == "out sorry B.C"
    assert render(page, {}, {"/c": "C"}) == "all"  # what fails in an esi:except fails in what is around it
    assert render(page, {}, {"/a": "1"}) == "all"


@pytest.mark.parametrize(
    ("page", "there", "absent"),
    [
        (
            b"<esi:try><esi:attempt><esi:include src='/a'/></esi:attempt><esi:except>E</esi:except></esi:try>",
            b"A",
            b"E",
        ),
        (b"<esi:choose><esi:otherwise><esi:include src='/a'/></esi:otherwise></esi:choose>", b"A", b""),
        (b"<esi:choose><esi:when test=\"1==2\"><esi:include src='/a'/></esi:when></esi:choose>", b"", b""),
        (
            b"<esi:choose><esi:when test=\"1==1\"><esi:try><esi:attempt><esi:include src='/a'/></esi:attempt><esi:except>"
            b"<esi:remove>no</esi:remove></esi:except></esi:try></esi:when></esi:choose>",
            b"A",
            b"",
        ),
        (b"<p id=x><esi:include src='/a'/></p>", b"<p id=x>A</p>", b"<p id=x></p>"),
    ],
)
def test_tag_that_is_all_of_a_branch_or_an_element(page, there, absent):
    template = compile_page(page, PageRules([Slot("x", "#x")], esi=True), "utf-8")
    assert not template.problems
    values = [None if wanted == "x" else b"A" for wanted in template.inputs]
    assert template.render_bytes(tuple(values)) == there
    assert template.render_bytes((None,) * len(values)) == absent
    if "x" in template.inputs:
        assert template.render_bytes((b"X",) * len(values)) == b"<p id=x>X</p>"


def test_slots_inside_of_branches():
    page = "<body><esi:choose><esi:when test=\"$(GEO{country})=='DE'\"><p id=x>own</p></esi:when></esi:choose><p>{{edge.x}}</p>"
    rules = PageRules([Slot("x"), Slot("x", "#x")], esi=True)
    assert render(page, {"country": "DE", "x": "X"}, rules=rules) == "<body><p id=x>X</p><p>X</p>"
    assert render(page, {"x": "X"}, rules=rules) == "<body><p>X</p>"


def test_slot_that_crosses_a_branch_is_left_alone():
    page = "<body><div id=x>1<esi:try><esi:attempt>2<esi:include src='/a'/></div></esi:attempt><esi:except>3</esi:except></esi:try>"
    rules = PageRules([Slot("x", "#x", "replace")], esi=True)
    left = (("overlap", "x", 6),)
    assert render(page, {"x": "X"}, {"/a": "A"}, rules=rules, problems=left) == "<body><div id=x>12A</div>"
    assert render(page, {"x": "X"}, rules=rules, problems=left) == "<body><div id=x>13"


@pytest.mark.parametrize(
    "page",
    [
        "<esi:remove>",
        "</esi:remove>",
        "<esi:vars><esi:remove></esi:vars></esi:remove>",
        "<esi:include/>",
        "<esi:include src='$(NOTHING)'/>",
        "<esi:inline name='/a'>x</esi:inline>",
        "<esi:when test='1'>x</esi:when>",
        "<esi:choose><esi:attempt>x</esi:attempt></esi:choose>",
        "<esi:choose><esi:when>x</esi:when></esi:choose>",
        "<esi:choose><esi:when test='matches'>x</esi:when></esi:choose>",
        "<esi:vars>$(HTTP_COOKIE)</esi:vars>",
        "<!--esi <p title='-->'>",
        "<!--esi <!-- a --> -->",
        "<esi:vars>" * (esi_depth_max + 1) + "</esi:vars>" * (esi_depth_max + 1),
    ],
)
def test_page_whose_tags_do_not_fit_is_sent_as_it_is(page):
    page = f"<body>{page}<p id=x>own</p>"
    template = compile_page(page.encode(), PageRules([Slot("x", "#x", "set_attribute", "title")], esi=True), "utf-8")
    assert "esi" in [reason for reason, _, _ in template.problems]
    assert template.render_bytes((None,) * len(template.inputs)) == page.encode()


def test_esi_is_markup_like_any_other_where_it_is_not_asked_for():
    assert render(TRY, rules=PageRules()) == TRY


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("1 == 1.0", True),
        ("'a' == 'b'", False),
        ("9 < 10", True),
        ("'9' < '10'", True),
        ("'b' > 'a'", True),
        ("2 != 3 & 1 == 2 | 4 >= 4", True),
        ("!(1 == 1) | !(2 == 1)", True),
        ("!1 == 2", True),
        ("$(GEO{country}) == 'DE'", True),
        ("$(GEO{region}) == ''", False),
        ("!($(GEO{region}) == 'x')", True),
        ("$(GEO{region}|'x') == 'x'", True),
        ("$(GEO{country})", True),
        ("$(GEO{region})", False),
        ("-1 < 0", True),
    ],
)
def test_expression_holds(text, holds):
    values = {Variable("GEO", "country"): (0, b"DE")}
    test = parse_expression(text, lambda variable: values.get(variable, (1, None))[0])
    assert test((b"DE", None)) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 ==",
        "(1 == 1",
        "1 = 1",
        "a == b",
        "1 == 1 == 1",
        "'a",
        "$(X)",
        "1 & ",
        "!" * 2000,
        "(" * 300 + "1",
        "(" * 17 + "1" + ")" * 17,
        "!" * 17 + "1",
    ],
)
def test_expression_that_cannot_be_read_is_refused(text):
    with pytest.raises(EsiError):
        parse_expression(text, lambda variable: 0)


@pytest.mark.parametrize("text", ["", "http_cookie{a}", "HTTP_COOKIE", "HTTP_HOST{a}", "GEO{a", "X{a}", "GEO{a}{b}"])
def test_what_is_no_variable_is_refused(text):
    with pytest.raises(EsiError):
        parse_variable(text)
