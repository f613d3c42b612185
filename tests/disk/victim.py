"""A worker process for tests that kill it: python -m disk.victim DIRECTORY INDEX_DESCRIPTOR TASK"""

import mmap
import os
import sys

from disk.desk import response

from fastedge.clock import monotonic

BODY = b"0123456789" * 30_000
STORED = response(b"http://victim/", BODY, length=-1)


def main() -> None:
    import uvloop

    from fastedge.disk.tier import DiskTier

    directory, descriptor, task = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    loop = uvloop.new_event_loop()
    buffer = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
    tier = DiskTier(directory, buffer, loop, lambda text: None)
    {"lead": lead, "fetch": fetch, "hammer": hammer, "fill": fill}[task](tier, loop)


def lead(tier, loop) -> None:
    """Claims the fetch, writes half of the body, and stays so."""
    claim = tier.claim(STORED.high, STORED.low)
    writer = claim.begin(STORED)
    writer.write(BODY[:150_000])
    loop.call_later(0.05, say, "half")
    loop.run_forever()


def fetch(tier, loop) -> None:
    """100 requests for one object at once, as a worker has them: says how many fetches it began, and what each one saw."""
    from disk.desk import Listener

    origin_fetches, listeners, said = 0, [Listener() for _ in range(100)], []
    say("ready")
    sys.stdin.readline()
    claim = tier.claim(STORED.high, STORED.low)
    if claim.is_leader:
        origin_fetches = 1
        writer = claim.begin(STORED)
        for turn in range(30):
            loop.call_later(0.004 * turn, writer.write, BODY[turn * 10_000 : (turn + 1) * 10_000])
        loop.call_later(0.2, lambda: writer.finish(response(b"http://victim/", BODY), said.append))
        while not said:
            turn_once(loop)
        say("led True")
    else:
        for listener in listeners:
            claim.follow(listener)
        while not all(listener.end for listener in listeners):
            turn_once(loop)
        say(f"followed {all(one.data == BODY and one.end.value == 'finished' for one in listeners)}")
    say(f"fetches {origin_fetches}")
    tier.close()


def hammer(tier, loop) -> None:
    """Stores responses without end, each of some size and of a body that tells it."""
    number = monotonic() % 1000
    say("half")
    while True:
        number = (number * 7 + 1) % 1000
        url, body = b"http://hammer/%d" % (number % 50), b"%d," % number * (number * 20)
        stored = response(url, body)
        writer = tier.begin(stored)
        if writer is not None:
            writer.write(body)
            writer.finish(stored)
        turn_once(loop)


def fill(tier, loop) -> None:
    """Stores more than its file system takes: says of each response whether it is on disk, and what was complained of."""
    from fastedge.disk import tier as tier_module

    tier_module.disk_retry_ms = 5
    complaints = []
    tier.complaints._warn = complaints.append
    said = []
    for number in range(100):
        stored = response(b"http://full/%d" % number, BODY[:50_000])
        while (writer := tier.begin(stored)) is None:
            turn_once(loop)
        writer.write(BODY[:50_000])
        writer.finish(stored, lambda one: said.append(bool(one)))  # a body that is kept keeps its bytes on disk
        while len(said) <= number:
            turn_once(loop)
    say("".join("x" if one else "." for one in said))
    say("\n".join(complaints))
    tier.close()


def turn_once(loop) -> None:
    loop.call_later(0.0005, loop.stop)
    loop.run_forever()


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
