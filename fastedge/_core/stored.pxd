from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum Flag:
    MUST_REVALIDATE = 1         # must-revalidate, proxy-revalidate, s-maxage: never sent stale without the origin's word
    NO_CACHE = 2                # each use needs a validation (RFC 9111 §5.2.2.4)
    HAS_ETAG = 4
    HAS_LAST_MODIFIED = 8
    IMMUTABLE = 16
    HEURISTIC = 32              # its lifetime is a guess (§4.2.2)
    AUTHORIZED = 64             # the request carried Authorization (§3.5)
    ENCODED = 128               # has a Content-Encoding
    NO_RANGES = 256             # the origin said Accept-Ranges: none


# Its order is its layout: what find() compares stands in the first cache line. No C methods: they would cost a pointer.
cdef class Stored:
    """One stored response (RFC 9111 §2). Immutable but for `checked`, and for its place in the store: what a validation
    changes becomes a new one that shares the body."""
    cdef readonly uint64_t high, low    # XXH3-128 of `key`
    cdef readonly int key_size      # compared in full: no hash of a client's choosing makes two keys one
    cdef uint16_t names_total
    cdef uint8_t queue              # the store's: 0 in none
    cdef uint8_t uses               # the store's: since it came into its queue, at most 3
    cdef readonly bytes head        # the end-to-end field lines, b"name: value\r\n" each, without framing and Age
    cdef readonly object body       # bytes, or an object of the shell's that stands for a file
    cdef readonly bytes vary        # what its request said in the fields that Vary names, packed by caching.vary; or None
    cdef readonly Stored variant    # the store's: the next response under the same key, kept earlier
    cdef readonly int status
    cdef readonly uint32_t flags
    cdef readonly long long length          # of the body
    cdef readonly long long received_us     # monotonic, when the response came (RFC 9111 §4.2.3, response_time)
    cdef readonly double received_s         # the same moment on the wall clock
    cdef readonly float initial_age_s       # corrected_initial_age
    cdef readonly float lifetime_s
    cdef readonly float stale_while_revalidate_s
    cdef readonly float stale_if_error_s
    cdef readonly uint64_t born     # Purges.now() when the origin was asked
    cdef uint64_t checked           # Purges.version() against which it was last looked at
    cdef readonly int url_at, url_size  # where in the key its URL stands (scheme, authority, target), for purges by prefix
    cdef PyObject* newer            # the store's: neighbours in its queue, borrowed
    cdef PyObject* older
    cdef uint32_t cost              # the store's: in units of 16 bytes
    cdef uint64_t facts[1]          # last, and as long as need be: purge names, the URL's first; then the key's text


cdef Stored new_stored(
    uint64_t high, uint64_t low, bytes key, bytes names, int status, bytes head, object body, long long length
)
cdef Stored refreshed(Stored stored, bytes head)
cdef Py_ssize_t cost_of(Stored stored) noexcept


cdef inline const char* key_of(Stored stored) noexcept:
    return <const char*> &stored.facts[stored.names_total]


cdef inline bytes url_of(Stored stored):
    return (key_of(stored) + stored.url_at)[:stored.url_size]


cdef inline double age_s(Stored stored, long long now_us) noexcept:
    """current_age (RFC 9111 §4.2.3): a wall clock that is set has no part in it."""
    return stored.initial_age_s + (now_us - stored.received_us) / 1e6
