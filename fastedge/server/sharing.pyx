"""Keys whose last answer was not for sharing: nobody waits for a fetch of those, and each asks the origin at once.

Remembered for a while, as long as the answers say the same of being stored. What one client sent is no reason for those
who send no such field.
"""

cimport cython

from fastedge._core.fields cimport AUTHORIZATION, COOKIE, FieldName, known
from fastedge.caching.vary cimport reaches_origin
from fastedge.engine cimport Exchange
from fastedge.limits import cache_uncollapsed_keys_max, cache_uncollapsed_s

cdef long long REMEMBERED_US = cache_uncollapsed_s * 1_000_000
cdef Py_ssize_t KEYS_MAX = cache_uncollapsed_keys_max
cdef dict OF_A_CLIENT = {"authorization": known(AUTHORIZATION), "cookie": known(COOKIE)}


@cython.final
cdef class Unshared:
    """A worker's own; the oldest key goes where there are too many."""

    def __cinit__(self):
        self.entries = {}

    cdef str reason_for(self, Exchange exchange):
        """Why the last answer was not for sharing, where that holds for this exchange too; else None."""
        cdef str reason
        if not self.entries:
            return None
        reason = self._reason(exchange.key, exchange.now_us)
        if reason is None:
            for own in OF_A_CLIENT:
                if is_reason_for(own, exchange):
                    reason = reason or self._reason((exchange.key, own), exchange.now_us)
        return reason

    cdef str _reason(self, object key, long long now_us):
        cdef object found = self.entries.get(key)
        if found is None:
            return None
        until, reason, _ = found
        if now_us < until:
            return reason
        del self.entries[key]
        return None

    cdef int reconsider(self, bytes key, tuple said) except -1:
        """What came for one client alone: if it says anything else than last time, the next one may be for sharing."""
        cdef object found = self.entries.get(key)
        if found is not None and found[2] is not None and found[2] != said:
            del self.entries[key]
        return 0

    cdef int remember(self, bytes key, str reason, long long now_us, tuple said) except -1:
        cdef object what = (key, reason) if reason in OF_A_CLIENT else key
        if len(self.entries) >= KEYS_MAX:
            del self.entries[next(iter(self.entries))]
        self.entries[what] = (now_us + REMEMBERED_US, reason, said)
        return 0


cdef bint is_a_clients_own(str reason) except -1:
    return reason in OF_A_CLIENT


cdef bint is_reason_for(str reason, Exchange exchange) except -1:
    """Whether what was not for sharing for this reason is not for this client either."""
    return reason not in OF_A_CLIENT or reaches_origin(<FieldName> OF_A_CLIENT[reason], exchange.request, exchange.ctx.plan)
