"""What a reload may change, and what it must refuse."""

import pytest

from fastedge.config import needs_restart


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("", "", []),
        ("", "[server]\nworkers = 2", ["server.workers: 0 runs, 2 is asked"]),
        (
            "",
            '[server]\nlisten = ["127.0.0.1:1", "[::1]:2"]',
            ["server.listen: 127.0.0.1:8080 runs, 127.0.0.1:1, [::1]:2 is asked"],
        ),
        (
            "[cache]\nmemory_mb = 1",
            '[cache]\nmemory_mb = 2\ndisk_path = "d"\ndisk_mb = 3',
            [
                "cache.memory_mb: 1 runs, 2 is asked",
                "cache.disk_path: none runs, /etc/edge/d is asked",
                "cache.disk_mb: 4096 runs, 3 is asked",
            ],
        ),
        ("", "[admin]", ["admin: the section was added"]),
        ("[admin]", "", ["admin: the section was removed"]),
        (
            "[admin]",
            '[admin]\nlisten = "127.0.0.1:9"',
            ["admin.listen: 127.0.0.1:8081 runs, 127.0.0.1:9 is asked"],
        ),
        (
            "",
            "[revocations]\njournal = 'j'\nentries_max = 5",
            [
                "revocations.journal: none runs, /etc/edge/j is asked",
                "revocations.entries_max: 1000000 runs, 5 is asked",
            ],
        ),
        ("", '[log]\naccess = "off"', ["log.access: stdout runs, off is asked"]),
    ],
)
def test_change_that_needs_a_restart_is_named(config, old, new, lines):
    assert needs_restart(config(old), config(new)) == lines


@pytest.mark.parametrize(
    "new",
    [
        "[server]\nconnections_max = 1\ncdn_id = 'x'\ntrusted_proxies = ['unix:']\ndrain_timeout_ms = 1",
        '[origins.a]\nservers = ["http://a"]\n[origins.b]\nservers = ["http://b"]\n[server]\ndefault_origin = "b"',
        '[[sites]]\nhosts = ["a"]',
        "[server]\nworkers = 0\nlisten = ['127.0.0.1:8080']",
    ],
)
def test_change_that_is_live_is_not(config, new):
    assert needs_restart(config(""), config(new)) == []
