"""Who a process is, so that none is taken for its predecessor of the same number; and which boot of the host it is."""

import os
from pathlib import Path
from typing import Final

from fastedge.disk.checksum import checksum_of

_STARTED_BITS: Final = 42  # of clock ticks since the boot: 1,300 years; the rest is for the pid


def owner_of(pid: int) -> int:
    """One number for a process: its pid and when it was started. 0: there is none (any more)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    state, *fields = text[text.rindex(b")") + 2 :].split()
    if state in (b"Z", b"X"):
        return 0
    return pid << _STARTED_BITS | int(fields[18]) & (1 << _STARTED_BITS) - 1


def this_owner() -> int:
    return owner_of(os.getpid())


def is_alive(owner: int) -> bool:
    """Whether the process that `owner` names still runs."""
    return owner != 0 and owner_of(owner >> _STARTED_BITS) == owner


def boot_number() -> int:
    """Another one after each boot of the host: the monotonic clock begins anew then."""
    return checksum_of(Path("/proc/sys/kernel/random/boot_id").read_bytes())[1]
