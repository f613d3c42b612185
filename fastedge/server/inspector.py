"""What is stored for one URL, for people. A worker's own tier is looked through in slices, so that a million entries
hold nobody up; the disk is asked for the key that a plain GET of the URL has.
"""

import asyncio
from typing import Literal
from urllib.parse import urlsplit

from fastedge._core.fields import Fields
from fastedge._core.key import key_hash
from fastedge._core.message import Request
from fastedge._core.purges import Purges
from fastedge._core.store import MemoryStore
from fastedge._core.stored import Stored
from fastedge._core.storedhead import stored_fields
from fastedge.clock import now as wall_now
from fastedge.disk.tier import DiskTier
from fastedge.engine import Engine
from fastedge.inspection import StoredObject
from fastedge.limits import cache_inspected_slots_max

_NOBODY = bytes(16)
_TAG_FIELDS = {"cache-groups": ",", "cache-tag": ",", "surrogate-key": None, "xkey": None}  # name → what parts its tags


async def stored_objects(store: MemoryStore, purges: Purges, url: str, now_us: int) -> list[StoredObject]:
    """Every response whose URL this is, variants included."""
    found: list[Stored] = []
    cursor = 0
    while True:
        some, cursor = store.scan(url.encode(), cursor, cache_inspected_slots_max)
        found += some
        if not cursor:
            return [_described(stored, purges, now_us, "memory") for stored in found]
        await asyncio.sleep(0)


async def objects_on_disk(tier: DiskTier, engine: Engine, purges: Purges, url: str, now_us: int) -> list[StoredObject]:
    """Every response on disk under the key of a plain GET; none where the policy does not ask the cache for it."""
    parts = urlsplit(url)
    request = Request("GET", parts._replace(scheme="", netloc="").geturl(), host=parts.netloc, scheme=parts.scheme)
    exchange = engine.begin(request, wall_now(), _NOBODY, MemoryStore(1 << 16, bytes(16)), purges)
    if exchange is None or exchange.step_start() != "share" or exchange.key is None:
        return []
    loaded: asyncio.Future[list[Stored]] = tier.loop.create_future()
    if not tier.load(*key_hash(exchange.key), exchange.key, loaded.set_result):
        return []
    return [_described(stored, purges, now_us, "disk") for stored in await loaded]


def _described(stored: Stored, purges: Purges, now_us: int, tier: Literal["memory", "disk"]) -> StoredObject:
    head = stored_fields(stored.head)
    age_s = stored.age_s(now_us)
    names = memoryview(stored.names).cast("Q").tolist()
    is_purged = purges.verdict_of(names, stored.url, stored.born) != "kept"
    return StoredObject(
        key=stored.key.decode("latin-1"),
        status=stored.status,
        age_s=round(age_s, 3),
        ttl_s=round(stored.lifetime_s - age_s, 3),
        state="purged" if is_purged else "fresh" if age_s < stored.lifetime_s else "stale",
        vary=_vary(stored.vary),
        tags=tuple(tag for name, mark in _TAG_FIELDS.items() for tag in _tags(head, name, mark)),
        bytes=len(stored.head) + stored.length,
        tier=tier,
        etag=head.get("etag"),
    )


def _vary(packed: bytes | None) -> dict[str, str]:
    """What the request said in each field that Vary names; "" where it said nothing."""
    lines = (packed or b"").decode("latin-1").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _tags(head: Fields, name: str, mark: str | None) -> list[str]:
    return [tag.strip(' "') for tag in head.get(name, "").split(mark) if tag.strip(' "')]
