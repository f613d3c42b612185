from libc.stdint cimport int64_t

# A cell is one int64 of a worker's slot. What each one means to an operator stands in metrics.pyx, in TABLE.
cdef enum Cell:
    # the worker's own state: written by its loop, watched by the supervisor, never summed
    HEARTBEAT_NS = 0
    MARKER
    PID
    GENERATION
    # requests by status class; status 0 is a request whose client left before an answer began
    REQUESTS_ABORTED = 8
    REQUESTS_1XX
    REQUESTS_2XX
    REQUESTS_3XX
    REQUESTS_4XX
    REQUESTS_5XX
    BYTES_IN
    BYTES_OUT
    CONNECTIONS_ACCEPTED
    CONNECTIONS_REFUSED
    CONNECTIONS_OPEN
    REFUSED_SYNTAX
    REFUSED_FRAMING
    REFUSED_HOST
    REFUSED_TARGET
    REFUSED_FORWARDING
    REFUSED_TOO_LARGE
    REFUSED_TIMEOUT
    REFUSED_UNSUPPORTED
    REFUSED_MISDIRECTED
    REFUSED_OVERLOAD
    STAGE_FAILURES
    LOG_LINES_DROPPED
    LOG_WRITE_ERRORS
    RELOADS_DONE
    RELOADS_REFUSED
    RESTARTS_EXITED
    RESTARTS_STUCK
    CACHE_HIT
    CACHE_MISS
    CACHE_EXPIRED
    CACHE_REVALIDATED
    CACHE_STALE
    CACHE_UPDATING
    CACHE_BYPASS
    CACHE_DYNAMIC
    CACHE_COLLAPSED
    CACHE_STORED
    CACHE_EVICTIONS
    CACHE_BYTES
    CACHE_OBJECTS
    DISK_EVICTIONS
    DISK_BYTES
    DISK_OBJECTS
    DISK_DAMAGED
    PURGES_TAG
    PURGES_URL
    PURGES_PREFIX
    PURGES_HOST
    PURGES_EVERYTHING
    PURGES_INVALIDATION
    REVOCATIONS
    REVOCATIONS_CAPACITY
    STATUS_FIRST = 64           # one cell for each status of STATUSES
    KEY_FETCHES_CHANGED = 112
    KEY_FETCHES_UNCHANGED
    KEY_FETCHES_FAILED
    KEY_FETCHES_EARLY
    KEYS_AGE_S
    KEYS_UNAVAILABLE
    GEO_SWAPS_DONE
    GEO_SWAPS_FAILED
    GEO_AGE_S
    REQUEST_DURATION = 128      # a histogram
    ORIGINS_FIRST = 224         # one block of ORIGIN_CELLS for each origin

# Cells of an origin's block, counted from its beginning.
cdef enum OriginCell:
    ORIGIN_REQUESTS = 0
    ORIGIN_FAILED_CONNECT
    ORIGIN_FAILED_TIMEOUT
    ORIGIN_FAILED_RESET
    ORIGIN_FAILED_PROTOCOL
    ORIGIN_FAILED_QUEUE_FULL
    ORIGIN_FAILED_BREAKER_OPEN
    ORIGIN_RETRIES
    ORIGIN_CONNECTIONS_OPEN
    ORIGIN_FIRST_BYTE = 16      # a histogram
    ORIGIN_CELLS = 112

# A histogram: buckets from below 2^4 µs to beyond 2^26 µs (67 s), four to a power of two; then the sum in µs.
cdef enum Histogram:
    HISTOGRAM_LOG2_MIN = 4
    HISTOGRAM_LOG2_MAX = 26
    HISTOGRAM_BUCKETS = 90      # 1 + 4 * (26 - 4) + 1
    HISTOGRAM_SUM = 90
    HISTOGRAM_CELLS = 91

cdef extern from *:
    """
    static inline int fastedge_log2(unsigned long long value) { return 63 - __builtin_clzll(value); }
    """
    int fastedge_log2(unsigned long long value) noexcept nogil


cdef class Metrics:
    cdef int64_t* cells
    cdef Py_buffer view

    cdef inline void add(self, int cell, long long n) noexcept:
        self.cells[cell] += n

    cdef inline void put(self, int cell, long long value) noexcept:
        self.cells[cell] = value

    cdef inline void observe(self, int histogram, long long us) noexcept:
        self.cells[histogram + bucket_of(us)] += 1
        self.cells[histogram + HISTOGRAM_SUM] += us if us > 0 else 0

    # Counts one answered (or, status 0, abandoned) request.
    cdef void count_request(self, int status, long long bytes_in, long long bytes_out, long long duration_us) noexcept
    # Counts one request that was refused at the rim, its answer included.
    cdef int count_refusal(self, int status, str reason, long long bytes_in, long long bytes_out) except -1
    cdef void _count_answer(self, int status, long long bytes_in, long long bytes_out) noexcept


cdef int origin_cell(int origin, int cell) noexcept

cdef inline int bucket_of(long long us) noexcept:
    cdef int exponent
    if us < 1 << HISTOGRAM_LOG2_MIN:
        return 0
    exponent = fastedge_log2(<unsigned long long> us)
    if exponent >= HISTOGRAM_LOG2_MAX:
        return HISTOGRAM_BUCKETS - 1
    return 1 + ((exponent - HISTOGRAM_LOG2_MIN) << 2) + <int> ((us >> (exponent - 2)) & 3)
