"""Invariant: whatever clients, purges and a broken origin do to one edge, each answer is one that was allowed when it was asked for."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import pytest
from cache_model import Model, storm
from running import TOKEN, Edge

PLAIN = "from fastedge import Pipeline\n\npipeline = Pipeline()\n"
_seeds = itertools.count(1)


def stress(
    run_edge: Callable[..., Edge], cache: str, seconds: float, *, workers: int = 2, clients: int = 24
) -> Counter[str]:
    seed = next(_seeds)

    async def all_of_it() -> Counter[str]:
        model = Model(pages=12, seed=seed)
        async with await model.serve() as server:
            origin = server.sockets[0].getsockname()
            more = f'[origins.main]\nservers = ["http://127.0.0.1:{origin[1]}"]\n[cache]\n{cache}'
            edge = await asyncio.to_thread(run_edge, workers=workers, policy=PLAIN, more=more)
            try:
                return await storm(
                    model, edge.port, edge.admin_port, TOKEN, clients=clients, seconds=seconds, seed=seed
                )
            finally:
                await asyncio.to_thread(edge.stop)
                assert len(edge.lines) < 2 or "raceback" not in "".join(edge.lines), "\n".join(edge.lines)

    return asyncio.run(all_of_it())


@pytest.mark.parametrize(
    "cache",
    [
        "memory_mb = 8",
        'memory_mb = 16\ndisk_path = "cache"\ndisk_mb = 64',
        'memory_mb = 0\ndisk_path = "cache"\ndisk_mb = 8',
    ],
    ids=["memory", "both", "small disk"],
)
def test_storm(run_edge: Callable[..., Edge], cache: str) -> None:
    seen = stress(run_edge, cache, 5.0)
    assert seen["200"] > 200 and seen["206"] > 20 and seen["304"] > 0 and seen["purges"] > 10, seen
    assert sum(count for outcome, count in seen.items() if "; hit" in outcome) > 50, seen
