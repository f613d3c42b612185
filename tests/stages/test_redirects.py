"""Redirects as a stage: what it answers, what it lets pass, and what it refuses to be built from."""

import types

import pytest

from fastedge import CONTINUE, ConfigError, Context, Pipeline, Request
from fastedge.routing import table_of
from fastedge.stages import Redirects


def snapshot(**tables):
    return types.SimpleNamespace(tables=tables)


def decide(stage, request, ctx=None, bound_to=None):
    return stage.bind(bound_to or snapshot()).decide(request, ctx or Context())


ROWS = [("/old", "/new"), ("/blog/*", "/news/*", 308), ("shop.example/x", "https://b.example/y", 302, "drop")]


def test_matching_row_is_answered():
    answer = decide(Redirects(rows=ROWS), Request("GET", "/old?a=1&b"))
    assert (answer.status, answer.headers.items(), answer.body) == (301, [("location", "/new?a=1&b")], b"")


def test_prefix_row_carries_the_rest():
    assert decide(Redirects(rows=ROWS), Request("GET", "/blog/a/b?")).headers["location"] == "/news/a/b"


@pytest.mark.parametrize("host", ["shop.example", "SHOP.example:8080"])
def test_row_of_a_host_is_found_whatever_its_port(host):
    answer = decide(Redirects(rows=ROWS), Request("GET", "/x?q", host=host))
    assert (answer.status, answer.headers["location"]) == (302, "https://b.example/y")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_every_method_is_redirected(method):
    assert decide(Redirects(rows=ROWS), Request(method, "/old")).status == 301


@pytest.mark.parametrize(("method", "target"), [("GET", "/"), ("GET", "/x"), ("GET", "/?/old"), ("OPTIONS", "*")])
def test_other_requests_pass(method, target):
    ctx = Context()
    assert decide(Redirects(rows=ROWS), Request(method, target), ctx) is CONTINUE
    assert ctx.notes == {}


def test_row_is_noted_for_the_log():
    ctx = Context()
    decide(Redirects(rows=ROWS), Request("GET", "/blog/"), ctx)
    assert ctx.notes == {"Redirects": "row 2"}


def test_cache_control_is_sent_when_it_is_given():
    answer = decide(Redirects(rows=ROWS, cache_control="max-age=60"), Request("GET", "/old"))
    assert answer.headers["cache-control"] == "max-age=60"


def test_table_of_the_configuration_is_bound_by_name():
    stage = Redirects("moved")
    old, new = snapshot(moved=table_of([("/a", "/b")])), snapshot(moved=table_of([("/a", "/c")]))
    assert decide(stage, Request("GET", "/a"), bound_to=old).headers["location"] == "/b"
    assert decide(stage, Request("GET", "/a"), bound_to=new).headers["location"] == "/c"


def test_pipeline_binds_the_stage():
    bound = Pipeline(Redirects("moved")).bind(snapshot(moved=table_of([])))
    assert bound.hook_names[1:] == ["Redirects.on_request"]


@pytest.mark.parametrize(("tables", "known"), [({}, "none"), ({"b": table_of([]), "a": table_of([])}, "a, b")])
def test_unknown_table_is_a_config_error(tables, known):
    with pytest.raises(ConfigError, match=rf"^Redirects: there is no table 'moved'; \[tables\] has {known}$"):
        Redirects(table="moved").bind(snapshot(**tables))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "Redirects: give either table"),
        ({"table": "a", "rows": []}, "Redirects: give either table"),
        ({"table": 7}, "Redirects: table: expected a name of"),
        ({"table": "a", "cache_control": "a\r\nb"}, "Redirects: cache_control: expected a field value"),
        ({"table": "a", "cache_control": ""}, "Redirects: cache_control: expected a field value"),
        ({"rows": [("/a", "b")]}, "Redirects: rows, row 1, target: expected a path like /new"),
        ({"rows": ["/a/b"]}, "Redirects: rows, row 1, row: expected source, target"),
        ({"rows": [("/a", "/b"), ("/b", "/a")]}, "Redirects: rows, row 1, 2: redirects in a circle: /a → /b → /a"),
    ],
)
def test_options_that_cannot_be_used_are_config_errors(options, told):
    with pytest.raises(ConfigError) as caught:
        Redirects(**options)
    assert str(caught.value).startswith(told)
