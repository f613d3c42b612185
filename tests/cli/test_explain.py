"""`fastedge explain` says what the edge would do, the rim and a stage's failure included."""

import base64
import hmac
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fastedge.cli import main
from fastedge.identity.passwords import new_hash

CONFIG = '[policy]\nfile = "shop.py"\n[origins.main]\nservers = ["http://127.0.0.1:9"]\n'
POLICY = """
from fastedge import CONTINUE, Pipeline
from fastedge.stages import When

class Forgets:
    def on_request(self, request, ctx):
        if request.path == "/forgets":
            return None
        if request.headers.get("edge-own") is None and request.path == "/unkeyed":
            ctx.plan.ttl_s = 5
        return CONTINUE

    def on_response(self, request, response, ctx):
        pass

pipeline = Pipeline(Forgets(), When("/never/*", Forgets()))
"""


@pytest.fixture
def explain(tmp_path: Path) -> Any:
    (tmp_path / "edge.toml").write_text(CONFIG)
    (tmp_path / "shop.py").write_text(POLICY)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(main, ["explain", str(tmp_path / "edge.toml"), *arguments, "--json"])
        assert result.exit_code == 0, result.output
        for module in [name for name in sys.modules if name.startswith("fastedge_policy_0_")]:
            del sys.modules[module]  # a process of its own runs explain once
        return json.loads(result.stdout)

    return run


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["http://a/x/../y"], {"status": 400, "by": "the rim", "reason": "dot_segment"}),
        (["http://a:99999/"], {"status": 400, "by": "the rim", "reason": "host"}),
        (["http://a/", "-X", "GE T"], {"status": 501, "by": "the rim", "reason": "method"}),
    ],
)
def test_request_that_the_rim_refuses_is_explained_so(explain: Any, arguments: list[str], answer: Any) -> None:
    assert explain(*arguments)["answer"] == answer


def test_fields_that_the_rim_drops_reach_no_stage(explain: Any) -> None:
    report = explain("http://a/", "-H", "edge-own: 1", "-H", "x_y: 1", "-H", "x-y: 2")
    assert report["request"]["headers"] == [["host", "a"], ["x-y", "2"]]


def test_host_field_stands_for_the_one_of_the_url(explain: Any) -> None:
    assert explain("http://127.0.0.1:8080/p", "-H", "Host: shop.example")["request"]["url"] == "http://shop.example/p"


def test_hook_that_fails_is_listed_with_its_error(explain: Any) -> None:
    report = explain("http://a/forgets")
    assert [(row["hook"], row["outcome"]) for row in report["stages"]] == [
        ("on_request", "error"),
        ("on_response", "ok"),
    ]
    assert report["answer"]["reason"].startswith("Forgets.on_request: returned None")


def test_stage_of_a_class_that_ran_elsewhere_is_still_skipped(explain: Any) -> None:
    assert explain("http://a/")["skipped"] == ["Forgets: its condition does not hold"]


def test_unkeyed_input_is_named(explain: Any) -> None:
    assert explain("http://a/")["cache"]["unkeyed"] == []
    assert explain("http://a/unkeyed")["cache"]["unkeyed"] == ["Forgets reads edge-own outside the key"]


def test_broken_url_is_refused_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text('[origins.main]\nservers = ["http://127.0.0.1:9"]\n')
    result = CliRunner().invoke(main, ["explain", str(tmp_path / "edge.toml"), "http://[::1/"])
    assert result.exit_code == 2
    assert "expected a URL" in result.stderr


def test_what_depends_on_fetched_keys_is_unknown(explain: Any, tmp_path: Path) -> None:
    keys = '[keys.shop]\njwks_url = "http://127.0.0.1:9/jwks"\n'  # nobody is asked there
    (tmp_path / "edge.toml").write_text(CONFIG + keys)
    (tmp_path / "shop.py").write_text(
        "from fastedge import Pipeline\nfrom fastedge.stages import JwtAuth\n"
        'pipeline = Pipeline(JwtAuth(keys="shop", issuer="https://id.example", audience="shop"))\n'
    )
    report = explain("http://a/", "-H", "Authorization: Bearer a.b.c")
    assert report["stages"][0]["outcome"] == "unknown"
    assert report["answer"] == {"status": "unknown", "by": "keys that only a running edge has fetched"}
    assert explain("http://a/")["answer"]["status"] == 401


GATED = """
from fastedge import Pipeline
from fastedge.stages import JwtAuth
pipeline = Pipeline(JwtAuth(keys="shop", require_issuer=False, require_audience=False, require_expiry=False))
"""
REVOKING = '[keys.shop]\nsecret_file = "secret"\n[revocations]\nfile = "revoked.jsonl"\n'
SECRET = b"an HMAC secret of 32 bytes, just"


def bearer(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET, signed, "sha256")).rstrip(b"=")
    return f"Authorization: Bearer {(signed + b'.' + signature).decode()}"


def test_token_that_the_file_revokes_is_explained_so(explain: Any, tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(CONFIG + REVOKING)
    (tmp_path / "shop.py").write_text(GATED)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "revoked.jsonl").write_text('{"jti":"the-name"}\n')
    assert explain("http://a/", "-H", bearer({"jti": "another"}))["answer"]["status"] == "unknown"
    report = explain("http://a/", "-H", bearer({"jti": "the-name"}))
    assert report["answer"]["status"] == 401
    assert report["facts"]["notes"] == {"JwtAuth": "revoked"}
    assert "the-name" not in str(report)


def test_broken_revocations_are_told_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(CONFIG + REVOKING + "entries_max = 1\n")
    (tmp_path / "shop.py").write_text(GATED)
    (tmp_path / "secret").write_bytes(SECRET)
    for lines, message in (
        ('{"jti":5}\n\n{}\n', "revocations.file: revoked.jsonl, line 3: expected exactly one of"),
        ('{"jti":"a"}\n{"jti":"b"}\n', "revocations.file: revoked.jsonl: more than revocations.entries_max (1)"),
    ):
        (tmp_path / "revoked.jsonl").write_text(lines)
        result = CliRunner().invoke(main, ["check", str(tmp_path / "edge.toml")])
        assert result.exit_code == 2
        assert message in result.output


GUARDED = """
from fastedge import Pipeline
from fastedge.stages import ApiKeyAuth, BasicAuth, When

pipeline = Pipeline(
    When("/api/*", ApiKeyAuth(credentials="partners", key_from=["header:X-Key", "query:key"])),
    When("/in/*", BasicAuth(credentials="team")),
)
"""
CREDENTIALS = '[credentials.partners]\napi_keys_file = "keys.json"\n[credentials.team]\nusers_file = "users"\n'


@pytest.fixture
def guarded(explain: Any, tmp_path: Path) -> Any:
    (tmp_path / "edge.toml").write_text(CONFIG + CREDENTIALS)
    (tmp_path / "shop.py").write_text(GUARDED)
    (tmp_path / "keys.json").write_text(json.dumps({"salt": "A" * 22, "consumers": []}))
    (tmp_path / "users").write_text(f"ann:{new_hash('pw', bytes(16))}\n")
    return explain


@pytest.mark.parametrize("path", ["/api/", "/elsewhere"])
def test_credential_of_a_gate_is_not_shown(guarded: Any, path: str) -> None:
    report = guarded(f"http://a{path}?key=SECRET&x=1", "-H", "x-key: SECRET", "-H", "x-other: shown")
    assert "SECRET" not in json.dumps(report)
    assert report["request"]["url"] == f"http://a{path}?x=1" and report["plan"]["target"] == f"{path}?x=1"
    assert ["x-other", "shown"] in report["request"]["headers"]


def test_password_is_checked_and_what_comes_of_it_is_shown(guarded: Any) -> None:
    def asked(password: str) -> tuple[Any, Any]:
        field = "authorization: Basic " + base64.b64encode(f"ann:{password}".encode()).decode()
        report = guarded("http://a/in/", "-H", field)
        (stage,) = report["stages"]
        return stage["outcome"], report["answer"]["status"]

    assert asked("pw") == ("ok", "unknown")
    assert asked("guessed") == ("deny", 401)
