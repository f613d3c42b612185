"""The one file that reads the clock. Everything below the shell gets its time as an argument."""

from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef long long _travelled_us = 0        # by `travel`, in tests
cdef long long _set_us = 0              # by `set_wall`, in tests


cdef double wall_seconds() noexcept nogil:
    """Seconds since 1970 (UTC)."""
    cdef timespec moment
    clock_gettime(CLOCK_REALTIME, &moment)
    return moment.tv_sec + moment.tv_nsec * 1e-9 + (_travelled_us + _set_us) * 1e-6


cdef long long monotonic_us() noexcept nogil:
    """Microseconds on a clock that no one sets."""
    cdef timespec moment
    clock_gettime(CLOCK_MONOTONIC, &moment)
    return moment.tv_sec * 1_000_000 + moment.tv_nsec // 1000


cdef long long steady_us(long long monotonic) noexcept nogil:
    """Of a moment in `monotonic_us`: the one that ages what is stored."""
    return monotonic + _travelled_us


def travel(double seconds):
    """For tests: time passes, for everything but time-outs."""
    global _travelled_us
    _travelled_us += <long long> (seconds * 1_000_000)


def set_wall(double seconds):
    """For tests: somebody sets the wall clock that much ahead of the time, or back; nothing grows older."""
    global _set_us
    _set_us = <long long> (seconds * 1_000_000)


def now():
    """Seconds since 1970 (UTC)."""
    return wall_seconds()


def monotonic():
    """Microseconds on a clock that no one sets; all processes of a host share it."""
    return monotonic_us()


def steady():
    """Microseconds on the clock that ages what is stored."""
    return steady_us(monotonic_us())
