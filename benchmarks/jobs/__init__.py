"""What is measured: one module a job, each with `run(bench) -> JobReport`. The command line reads the same table."""

from collections.abc import Callable

from benchmarks.harness import Bench
from benchmarks.jobs import (
    answer,
    bigbody,
    cached,
    disk,
    herd,
    hit,
    idle,
    large,
    latency,
    objects,
    personal,
    proxy,
    purge,
    rs256,
    scale,
    tenth,
)
from benchmarks.report import JobReport

JOBS: dict[str, Callable[[Bench], JobReport]] = {
    "proxy": proxy.run,
    "answer": answer.run,
    "tenth": tenth.run,
    "rs256": rs256.run,
    "hit": hit.run,
    "cached": cached.run,
    "disk": disk.run,
    "large": large.run,
    "herd": herd.run,
    "purge": purge.run,
    "objects": objects.run,
    "personal": personal.run,
    "latency": latency.run,
    "idle": idle.run,
    "scale": scale.run,
    "bigbody": bigbody.run,
}
