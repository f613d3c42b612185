"""What the sizes of a configuration come to on this host: most bounds are one worker's, the machine has all of them."""

from msgspec import Struct

from fastedge._core.revocations import mapping_bytes
from fastedge.config.schema import EdgeConfig


class Size(Struct, frozen=True):
    """One bound: `key` as edge.toml has it, what one worker may use and what all of them may, in `unit`."""

    key: str
    a_worker: int
    total: int
    unit: str


def workers_of(config: EdgeConfig, cores: int) -> int:
    """How many workers `server.workers` means on a machine with so many cores."""
    return config.server.workers or max(1, cores)


def sizes(config: EdgeConfig, cores: int) -> tuple[Size, ...]:
    """The bounds that add up over the workers, and those that they share, in the order of edge.toml."""
    workers = workers_of(config, cores)
    rows = [_each("server.connections_max", config.server.connections_max, workers, "connections")]
    for name, origin in config.origins.items():
        rows.append(_each(f"origins.{name}.connections_max", origin.connections_max, workers, "connections"))
        rows.append(_each(f"origins.{name}.queue_max", origin.queue_max, workers, "requests"))
    can_be_posted = config.admin is not None and config.admin.token_env is not None
    if config.revocations.file is not None or can_be_posted:
        size_mb = (mapping_bytes(config.revocations.entries_max) + (1 << 20) - 1) >> 20
        rows.append(Size("revocations.entries_max", size_mb, size_mb, "MiB"))
    rows.append(_each("cache.memory_mb", config.cache.memory_mb, workers, "MiB"))
    if config.cache.disk_path is not None:
        rows.append(Size("cache.disk_mb", config.cache.disk_mb, config.cache.disk_mb, "MiB"))
    return tuple(rows)


def _each(key: str, a_worker: int, workers: int, unit: str) -> Size:
    return Size(key, a_worker, a_worker * workers, unit)
