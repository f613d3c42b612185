"""Invariant: of a signed URL nothing that is signed can change, and nothing that is not reaches the origin or the key."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastedge import CONTINUE, Context, Pipeline, Plan, Request, Response, sign_url
from fastedge._core.key import cache_key
from fastedge._core.signedurlgate import PARAMETERS, REASONS, SignedUrlGate
from fastedge.errors import ConfigError
from fastedge.identity.keys import KeySet
from fastedge.stages import SignedUrl

NOW = 1_800_000_000.0
OLD, NEW = b"o" * 32, b"n" * 32
TWO = KeySet.from_jwks(
    b'{"keys":[{"kty":"oct","kid":"a","k":"%s"},{"kty":"oct","kid":"b","k":"%s"}]}' % (b"A" * 43, b"E" * 43)
)
SNAPSHOT = SimpleNamespace(
    keys={"old": KeySet.from_secret(OLD), "new": KeySet.from_secret(NEW), "two": TWO}, tables={}, origins=()
)


def gate(**options: Any) -> SignedUrlGate:
    return SignedUrl(**{"keys": {"2026-11": "old", "2026-12": "new"}, **options}).bind(SNAPSHOT)


def sign(path: str = "/a?x=1&y=2", **options: Any) -> str:
    """The target of a signed URL."""
    options = {"key_id": "2026-12", "secret": NEW, "expires": NOW + 60, **options}
    return sign_url(f"https://shop.example{path}", **options).removeprefix("https://shop.example")


def ask(
    bound: SignedUrlGate,
    target: str,
    *,
    now: float = NOW,
    method: str = "GET",
    host: str = "shop.example",
    client: str = "192.0.2.1",
) -> tuple[Any, Context]:
    ctx = Context(now=now, client=client, plan=Plan(target=target))
    return bound.decide(Request(method, target, host=host), ctx), ctx


def refusal(bound: SignedUrlGate, target: str, **more: Any) -> str:
    verdict, ctx = ask(bound, target, **more)
    assert isinstance(verdict, Response)
    assert (verdict.status, verdict.body, verdict.headers["cache-control"]) == (403, b"Forbidden\n", "no-store")
    assert ctx.plan.target == target
    return ctx.notes["SignedUrl"]


def test_signed_url_passes_without_its_signature() -> None:
    verdict, ctx = ask(gate(), sign())
    assert verdict is CONTINUE
    assert ctx.plan.target == "/a?x=1&y=2"
    assert ctx.plan.is_storable and ctx.claims == {}
    assert gate().hidden_parameters == PARAMETERS


def test_all_signed_spellings_of_a_page_share_one_key() -> None:
    keys = set()
    for target in (sign(), sign(expires=NOW + 5), sign(key_id="2026-11", secret=OLD)):
        _, ctx = ask(gate(), target)
        keys.add(cache_key(Request("GET", target, host="shop.example"), ctx.plan))
    assert len(keys) == 1


def test_reasons_of_refusals() -> None:
    bound = gate()
    assert refusal(bound, "/a?x=1") == "missing"
    assert refusal(bound, "/") == "missing"
    for part in ("edge-key", "edge-expires", "edge-signature"):
        pairs = [pair for pair in sign("/a").partition("?")[2].split("&") if not pair.startswith(part)]
        assert refusal(bound, "/a?" + "&".join(pairs)) == "malformed"
        assert refusal(bound, sign("/a") + f"&{part}=1") == "malformed"
        assert refusal(bound, sign("/a") + f"&{part.replace('e', '%65', 1)}=1") == "malformed"
    twice = sign("/a").partition("?")[2]
    assert refusal(bound, f"/a?{twice}&{twice}") == "malformed"
    assert refusal(bound, sign(key_id="2026-13")) == "no_key"
    assert refusal(bound, sign(key_id="2026-11")) == "signature"
    assert refusal(bound, sign(expires=NOW)) == "expired"
    assert refusal(bound, sign(expires=NOW + 7 * 86_400 + 1)) == "too_far"
    assert refusal(bound, sign(), method="POST") == "method"
    assert refusal(bound, sign(), host="other.example") == "signature"
    for expires in ("x", "", "-1", "1e9", "1800000060.0", "9" * 13, "%31"):
        target = f"/a?edge-key=2026-12&edge-expires={expires}&edge-signature={'A' * 43}"
        assert refusal(bound, target) == "malformed"


def test_documented_reasons_are_those_that_there_are() -> None:
    assert set(REASONS) == {"malformed", "no_key", "expired", "too_far", "method", "signature"}


def test_expiry_has_its_leeway_and_its_bound() -> None:
    target = sign(expires=NOW + 60)
    assert ask(gate(leeway_s=5), target, now=NOW + 64.9)[0] is CONTINUE
    assert refusal(gate(leeway_s=5), target, now=NOW + 65) == "expired"
    assert refusal(gate(expires_s_max=59), target) == "too_far"
    assert ask(gate(expires_s_max=60), target)[0] is CONTINUE


def test_head_is_as_good_as_get() -> None:
    assert ask(gate(), sign(), method="HEAD")[0] is CONTINUE


def test_method_that_is_signed_is_the_only_one() -> None:
    bound = gate(method=True)
    target = sign(method="PUT")
    assert ask(bound, target, method="PUT")[0] is CONTINUE
    for method in ("GET", "POST", "put"):
        assert refusal(bound, target, method=method) == "signature"
    assert refusal(bound, sign(), method="GET") == "signature"
    assert refusal(gate(), sign(method="GET")) == "signature"


def test_address_that_is_signed_is_the_only_one() -> None:
    bound = gate(address=True)
    for signed, client in (("192.0.2.1", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1")):
        target = sign(address=signed)
        assert ask(bound, target, client=client)[0] is CONTINUE
        assert refusal(bound, target, client="192.0.2.2") == "signature"
    assert refusal(bound, sign()) == "signature"


def test_host_need_not_be_signed() -> None:
    assert ask(gate(host=False), sign(host=False), host="other.example")[0] is CONTINUE
    assert refusal(gate(), sign(host=False)) == "signature"
    assert ask(gate(), sign(), host="Shop.Example:8443")[0] is CONTINUE


def test_parameters_that_are_not_signed_reach_neither_origin_nor_key() -> None:
    bound, target = gate(query=["x"]), sign(query=["x"])
    _, ctx = ask(bound, target)
    assert ctx.plan.target == "/a?x=1"
    _, ctx = ask(bound, target + "&utm=5&y=7")
    assert ctx.plan.target == "/a?x=1"
    assert refusal(bound, target + "&x=2") == "signature"
    assert refusal(bound, target.replace("x=1&", "")) == "signature"


def test_another_stage_that_has_edited_the_target_keeps_its_say() -> None:
    ctx = Context(now=NOW, plan=Plan(target="/b" + sign()))
    assert gate().decide(Request("GET", sign(), host="shop.example"), ctx) is CONTINUE
    assert ctx.plan.target == "/b/a?x=1&y=2"


def test_trace_shows_what_should_have_been_signed() -> None:
    def trace(target: str) -> list[tuple[str, str]]:
        return gate().trace(Request("GET", target, host="shop.example"), Context(now=NOW))

    assert trace("/a") == [("query", "no signature")]
    text = r"fastedge-url-1\n2026-12\n1800000060\n/a?x=1&y=2\nshop.example\n\n"
    assert trace(sign()) == [("signed text", text), ("signature", "holds")]
    assert trace(sign() + "&z=3") == [
        ("signed text", text.replace("y=2", "y=2&z=3")),
        ("signature", "is no good (signature)"),
    ]


# --- properties ------------------------------------------------------------------------------------------------------

PATHS = st.from_regex(r"/([a-z0-9/._~-]|%[0-9a-f]{2}){0,12}", fullmatch=True).filter(
    lambda path: not any(part.lower().replace("%2e", ".") in (".", "..") for part in path.split("/"))
)
PAIRS = st.lists(st.sampled_from(["x=1", "x=2", "y=1", "y", "", "=", "x=1=2", "%78=1", "z=%26"]), max_size=4)
TARGETS = st.builds(lambda path, pairs: path + ("?" + "&".join(pairs) if pairs else ""), PATHS, PAIRS)
BOUND = gate()


@given(TARGETS, st.integers(0, 300), st.sampled_from(list("ab1?&=%/-_.~")))
def test_no_change_of_a_byte_passes_for_another_target(path: str, position: int, byte: str) -> None:
    target = sign(path)
    _, ctx = ask(BOUND, target)
    assert ctx.plan.target == path
    changed = target[: position % len(target)] + byte + target[position % len(target) + 1 :]
    if changed.startswith("/") and changed != target:
        verdict, ctx = ask(BOUND, changed)
        assert isinstance(verdict, Response), changed


@given(TARGETS, TARGETS)
def test_signature_of_one_target_is_none_of_another(one: str, other: str) -> None:
    signature = sign(one).removeprefix(one)[1:]
    verdict, _ = ask(BOUND, other + ("&" if "?" in other else "?") + signature)
    assert (verdict is CONTINUE) is (one == other)


SOME = gate(query=["x"])


@given(PATHS, PAIRS, PAIRS, st.randoms(use_true_random=False))
def test_what_is_not_signed_can_change_without_anyone_noticing(
    path: str, signed: list[str], others: list[str], random: Any
) -> None:
    """The order of the signed ones kept, others put anywhere among them."""
    signed = [pair for pair in signed if pair.partition("=")[0] in ("x", "%78")]
    others = [pair for pair in others if pair.partition("=")[0] not in ("x", "%78")]
    base = path + ("?" + "&".join(signed) if signed else "")
    pairs = sign(base, query=["x"]).partition("?")[2].split("&")
    for pair in others:
        pairs.insert(random.randint(0, len(pairs)), pair)
    verdict, ctx = ask(SOME, f"{path}?{'&'.join(pairs)}")
    assert verdict is CONTINUE
    assert ctx.plan.target == base


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=80))
def test_no_target_raises(text: str) -> None:
    assert isinstance(ask(BOUND, "/" + text)[0], Response)
    assert isinstance(ask(BOUND, f"/?edge-key=2026-12&edge-expires=1&edge-signature={text}")[0], Response)


# --- options ---------------------------------------------------------------------------------------------------------


def test_pipeline_runs_the_gate() -> None:
    (hook,) = Pipeline(SignedUrl(keys={"k": "old"})).bind(SNAPSHOT).hooks()
    assert (hook.stage, hook.name, hook.fail_open) == ("SignedUrl", "on_request", False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": {}}, r'\{"key id": "name of \[keys.NAME\]"\} is expected'),
        ({"keys": "old"}, r'\{"key id": "name of \[keys.NAME\]"\} is expected'),
        ({"keys": {"a&b": "old"}}, r"a key id is letters"),
        ({"keys": {"a": ""}}, r"a text is expected"),
        ({"keys": {"a": "none"}}, r"there is no \[keys.none\]"),
        ({"keys": {"a": "two"}}, r"\[keys.two\] is not one shared secret"),
        ({"query": "x"}, r"a list of texts is expected"),
        ({"query": ["a*"]}, r"names of parameters are expected"),
        ({"leeway_s": 601}, r"a number from 0 to 600"),
        ({"expires_s_max": 0}, r"a number from 1 to"),
        ({"host": "a.example"}, r"True or False"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gate(**options)
