from libc.stdint cimport uint32_t, uint64_t

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


cdef class Stored:
    """One stored response (RFC 9111 §2). Immutable but for `checked`, and for its place in the store: what a validation
    changes becomes a new one that shares the body."""
    cdef uint64_t high, low         # XXH3-128 of `key`
    cdef bytes key                  # compared in full: no hash of a client's choosing makes two keys one
    cdef bytes vary                 # what its request said in the fields that Vary names, packed by caching.vary; or None
    cdef int status
    cdef bytes head                 # the end-to-end field lines, b"name: value\r\n" each, without framing and Age
    cdef object body                # bytes, or an object of the shell's that stands for a file
    cdef long long length           # of the body
    cdef long long received_us      # monotonic, when the response came (RFC 9111 §4.2.3, response_time)
    cdef double received_s          # the same moment on the wall clock
    cdef float initial_age_s        # corrected_initial_age
    cdef float lifetime_s
    cdef float stale_while_revalidate_s
    cdef float stale_if_error_s
    cdef uint32_t flags
    cdef bytes names                # purge names: uint64_t each, packed; the URL's first
    cdef Py_ssize_t url_at, url_size     # where in `key` its URL stands (scheme, authority, target), for purges by prefix
    cdef uint64_t born              # Purges.now() when the origin was asked
    cdef uint64_t checked           # Purges.version() against which it was last looked at
    # the store's own
    cdef Stored variant             # the next response under the same key
    # (queue, links, cost: the implementation's)


cdef class MemoryStore:
    """A worker's own tier."""
    cdef Stored find(self, uint64_t high, uint64_t low, const char* key, Py_ssize_t size)   # the first variant, or None
    cdef int touch(self, Stored stored) noexcept                # it was used: for the eviction
    cdef bint keep(self, Stored stored) except -1               # replaces the one with equal key and vary; False: too large
    cdef int drop(self, Stored stored) except -1
