"""What a worker's bounds come to on a host."""

from fastedge.config import Size, load, sizes
from fastedge.config.sizes import workers_of


def test_sizes_are_multiplied_by_the_workers_but_for_what_they_share(config):
    loaded = config(
        "[server]\nworkers = 3\nconnections_max = 10\n[cache]\nmemory_mb = 64\ndisk_path = 'd'\ndisk_mb = 100\n"
        '[origins.a]\nservers = ["http://a"]\nconnections_max = 7\nqueue_max = 5'
    )
    assert sizes(loaded, cores=8) == (
        Size("server.connections_max", 10, 30, "connections"),
        Size("origins.a.connections_max", 7, 21, "connections"),
        Size("origins.a.queue_max", 5, 15, "requests"),
        Size("cache.memory_mb", 64, 192, "MiB"),
        Size("cache.disk_mb", 100, 100, "MiB"),
    )


def test_sizes_without_a_disk_have_none(config):
    assert [size.key for size in sizes(config(""), cores=1)][-1] == "cache.memory_mb"


def test_revocations_are_counted_where_there_can_be_any(sources):
    def rows(more):
        loaded = load(sources(f"[revocations]\nentries_max = 100000\n{more}", {"f": b""}, {"T": "token"}))
        return [size for size in sizes(loaded, cores=4) if "revocations" in size.key]

    size = Size("revocations.entries_max", 12, 12, "MiB")
    assert rows("[admin]\ntoken_env = 'T'") == rows("file = 'f'") == [size]
    assert rows("[admin]") == rows("") == []


def test_workers_are_one_for_each_core_unless_told(config):
    assert workers_of(config(""), cores=4) == 4
    assert workers_of(config(""), cores=0) == 1
    assert workers_of(config("[server]\nworkers = 2"), cores=4) == 2
