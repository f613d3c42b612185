"""docs/operations.md says what the code does."""

import re
from pathlib import Path

from fastedge.admin import AdminStage
from fastedge.limits import (
    cache_inspection_ms_max,
    cache_purge_cells,
    cache_purge_prefix_bytes_max,
    cache_purge_prefixes_max,
    cache_purge_request_items_max,
    reload_timeout_ms,
    worker_settle_ms,
    worker_stuck_ms,
)
from fastedge.supervisor.purging import PurgeRequest
from fastedge.supervisor.table import State

TEXT = (Path(__file__).parents[1] / "docs" / "operations.md").read_text()


def test_docs_list_every_route() -> None:
    routes = AdminStage(None)._routes  # type: ignore[arg-type]
    assert re.findall(r"^\| `(\w+) (/[\w/]+)` \|", TEXT, re.MULTILINE) == [
        (method, path) for path, methods in routes.items() for method in methods
    ]


def test_docs_name_every_state() -> None:
    sentence = TEXT.split("A worker's `state` is ")[1].split("\n")[0]
    assert all(f"`{state.value}`" in sentence for state in State)


def test_docs_have_the_bounds_of_the_code() -> None:
    assert f"has not moved for {worker_stuck_ms // 1000} s" in TEXT
    assert f"within {worker_settle_ms // 1000} s of its start" in TEXT
    assert f"no longer than {reload_timeout_ms // 1000} s to prepare" in TEXT
    assert f"The table has {cache_purge_cells:,} cells" in TEXT
    assert f"{cache_purge_prefixes_max:,} prefixes are remembered" in " ".join(TEXT.split())
    assert f"at most {cache_purge_prefix_bytes_max} bytes each" in TEXT
    assert f"One request may name {cache_purge_request_items_max:,} things" in TEXT
    assert cache_inspection_ms_max == 1000
    assert "does not answer within a second" in TEXT


def test_docs_list_every_member_of_a_purge() -> None:
    section = TEXT.split("## Purging")[1].split("## systemd")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == PurgeRequest.__struct_fields__
