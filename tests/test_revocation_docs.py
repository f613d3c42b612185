"""docs/revocations.md says what the code does."""

import json
import re
from pathlib import Path

import msgspec

from fastedge.clock import now
from fastedge.identity.revocations import parse_change, parse_list
from fastedge.limits import revocation_request_items_max

TEXT = (Path(__file__).parents[1] / "docs" / "revocations.md").read_text()


def test_every_entry_shown_is_one() -> None:
    rows = re.findall(r"^\| `(\{.*?\})` \|", TEXT, re.MULTILINE)
    assert len(rows) == 5
    for row in rows:
        assert len(parse_change(b'{"revoke":[%s]}' % row.encode(), now()).revoke) == 1
    for whole in re.findall(r"-d '(\{.*\})'", TEXT) + re.findall(r'`(\{"restore": .*?\]\})`', TEXT):
        assert parse_change(whole.encode(), now())
    (lines,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert len(list(parse_list("f", lines.encode()))) == 1


def test_answer_shown_is_that_of_its_request() -> None:
    (request, answer) = re.findall(r"-d '(\{.*\})'\n(\{.*\})$", TEXT, re.MULTILINE)[0]
    change = parse_change(request.encode(), now())
    shown = msgspec.json.decode(answer)
    assert shown["revoked"] == {"jti": 1, "sub": 1, "everyone": 0}
    assert len(change.revoke) == shown["in_force"] == 2
    assert list(shown) == ["revoked", "restored", "still_in_file", "in_force", "durable"]
    assert json.dumps(shown, separators=(",", ":")) == answer


def test_docs_have_the_bounds_of_the_code() -> None:
    assert f"up to {revocation_request_items_max:,} entries" in TEXT
