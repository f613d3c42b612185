"""Counters in one shared mapping: a slot of int64 cells for each worker, one for the supervisor, summed when scraped.

A cell has one writer, so an increment is an add without a lock. Slots outlive their workers. Opens no file and reads no
clock: the mapping and the time are given. A buffer that Metrics holds cannot be closed before it.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t
from libc.string cimport memset

from typing import NamedTuple

from fastedge.limits import metrics_origins_max

Row = NamedTuple("Row", [
    ("name", str), ("cell", int), ("kind", str), ("scope", str), ("metric", str), ("labels", dict), ("help", str),
])
WorkerState = NamedTuple("WorkerState", [("pid", int), ("generation", int), ("heartbeat_ns", int), ("marker", int)])

# Statuses that are counted one by one; the others are in their class alone.
STATUSES = (
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308,
    400, 401, 403, 404, 405, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451,
    500, 501, 502, 503, 504, 505, 508,
)

_CLASSES = ("aborted", "1xx", "2xx", "3xx", "4xx", "5xx")
_FAILURES = (
    ("connect", ORIGIN_FAILED_CONNECT), ("timeout", ORIGIN_FAILED_TIMEOUT), ("reset", ORIGIN_FAILED_RESET),
    ("protocol", ORIGIN_FAILED_PROTOCOL), ("queue_full", ORIGIN_FAILED_QUEUE_FULL),
    ("breaker_open", ORIGIN_FAILED_BREAKER_OPEN),
)

# Why the rim refused: label, cell, the statuses that always mean it, words of a 400's reason that do (the first row wins;
# reasons are ours and, for what llhttp refuses, its own texts as tokens).
_REFUSALS = (
    ("syntax", REFUSED_SYNTAX, (400,), ()),
    ("framing", REFUSED_FRAMING, (411,), ("content_length", "transfer_encoding", "chunk", "trailer")),
    ("host", REFUSED_HOST, (), ("host",)),
    ("target", REFUSED_TARGET, (), ("target", "asterisk_form", "percent_encoding", "dot_segment")),
    ("forwarding", REFUSED_FORWARDING, (), ("forward",)),
    ("too_large", REFUSED_TOO_LARGE, (413, 414, 431), ()),
    ("timeout", REFUSED_TIMEOUT, (408,), ()),
    ("unsupported", REFUSED_UNSUPPORTED, (417, 426, 501, 505), ()),
    ("misdirected", REFUSED_MISDIRECTED, (421,), ()),
    ("overload", REFUSED_OVERLOAD, (429, 503), ()),
)
_OUTCOMES = (
    ("hit", CACHE_HIT), ("miss", CACHE_MISS), ("expired", CACHE_EXPIRED), ("revalidated", CACHE_REVALIDATED),
    ("stale", CACHE_STALE), ("updating", CACHE_UPDATING), ("bypass", CACHE_BYPASS), ("dynamic", CACHE_DYNAMIC),
    ("collapsed", CACHE_COLLAPSED),
)
_PURGES = (
    ("tag", PURGES_TAG), ("url", PURGES_URL), ("prefix", PURGES_PREFIX), ("host", PURGES_HOST),
    ("everything", PURGES_EVERYTHING), ("invalidation", PURGES_INVALIDATION),
)
_KEY_FETCHES = (
    ("changed", KEY_FETCHES_CHANGED), ("unchanged", KEY_FETCHES_UNCHANGED), ("failed", KEY_FETCHES_FAILED),
)
_cell_by_refused_status = {status: cell for _, cell, statuses, _ in _REFUSALS for status in statuses}
_cell_by_word = [(word, cell) for _, cell, _, words in _REFUSALS for word in words]

# The one table: it generates the cells' names, what /metrics says, docs/observability.md and the tests.
TABLE = (
    Row("heartbeat_ns", HEARTBEAT_NS, "state", "worker", "", {}, ""),
    Row("marker", MARKER, "state", "worker", "", {}, ""),
    Row("pid", PID, "state", "worker", "", {}, ""),
    Row("generation", GENERATION, "state", "worker", "", {}, ""),
    *(
        Row(f"requests_{name}", REQUESTS_ABORTED + i, "counter", "worker", "fastedge_requests_total", {"status": name},
            "Requests by class of the status they were answered with; aborted: the client left before an answer began.")
        for i, name in enumerate(_CLASSES)
    ),
    *(
        Row(f"status_{status}", STATUS_FIRST + i, "counter", "worker", "fastedge_responses_total", {"status": str(status)},
            "Responses by status, for the common statuses.")
        for i, status in enumerate(STATUSES)
    ),
    Row("request_duration", REQUEST_DURATION, "histogram", "worker", "fastedge_request_duration_seconds", {},
        "From a request's first byte to the last byte of its answer, handed to the kernel."),
    Row("bytes_in", BYTES_IN, "counter", "worker", "fastedge_client_bytes_total", {"direction": "in"},
        "Bytes of requests and answers on client connections, heads included."),
    Row("bytes_out", BYTES_OUT, "counter", "worker", "fastedge_client_bytes_total", {"direction": "out"},
        "Bytes of requests and answers on client connections, heads included."),
    Row("connections_accepted", CONNECTIONS_ACCEPTED, "counter", "worker", "fastedge_client_connections_total",
        {"outcome": "accepted"}, "Client connections that came in."),
    Row("connections_refused", CONNECTIONS_REFUSED, "counter", "worker", "fastedge_client_connections_total",
        {"outcome": "refused"}, "Client connections that came in."),
    Row("connections_open", CONNECTIONS_OPEN, "gauge", "worker", "fastedge_client_connections_open", {},
        "Client connections that are open now."),
    *(
        Row(f"refused_{name}", cell, "counter", "worker", "fastedge_requests_refused_total", {"reason": name},
            "Requests refused at the rim, before any stage saw them.")
        for name, cell, _, _ in _REFUSALS
    ),
    Row("stage_failures", STAGE_FAILURES, "counter", "worker", "fastedge_stage_failures_total", {},
        "Requests answered with 500 because a hook raised or returned what it may not."),
    Row("origin_requests", ORIGIN_REQUESTS, "counter", "origin", "fastedge_origin_requests_total", {},
        "Requests sent to the origin, retries included."),
    *(
        Row(f"origin_failed_{kind}", cell, "counter", "origin", "fastedge_origin_failures_total", {"kind": kind},
            "Requests that the origin did not answer, by what went wrong.")
        for kind, cell in _FAILURES
    ),
    Row("origin_retries", ORIGIN_RETRIES, "counter", "origin", "fastedge_origin_retries_total", {},
        "Second attempts after a reused connection turned out dead."),
    Row("origin_connections_open", ORIGIN_CONNECTIONS_OPEN, "gauge", "origin", "fastedge_origin_connections_open", {},
        "Connections to the origin that are open now, idle ones included."),
    Row("origin_first_byte", ORIGIN_FIRST_BYTE, "histogram", "origin", "fastedge_origin_first_byte_seconds", {},
        "From sending a request to the first byte of the origin's answer."),
    *(
        Row(f"cache_{name}", cell, "counter", "worker", "fastedge_cache_responses_total", {"outcome": name},
            "Responses by what the cache did, as in the log's `cache`.")
        for name, cell in _OUTCOMES
    ),
    Row("cache_stored", CACHE_STORED, "counter", "worker", "fastedge_cache_stored_total", {},
        "Responses that were stored, or freshened by a validation."),
    *(
        Row(f"{prefix}_evictions", cell, "counter", "worker", "fastedge_cache_evictions_total", {"tier": tier},
            "Stored responses that had to make room.")
        for tier, prefix, cell in (("memory", "cache", CACHE_EVICTIONS), ("disk", "disk", DISK_EVICTIONS))
    ),
    *(
        Row(f"{prefix}_bytes", cell, "gauge", "worker", "fastedge_cache_bytes", {"tier": tier},
            "What stored responses take up: in the memory of all workers together, and on the disk that they share.")
        for tier, prefix, cell in (("memory", "cache", CACHE_BYTES), ("disk", "disk", DISK_BYTES))
    ),
    *(
        Row(f"{prefix}_objects", cell, "gauge", "worker", "fastedge_cache_objects", {"tier": tier},
            "Stored responses, likewise.")
        for tier, prefix, cell in (("memory", "cache", CACHE_OBJECTS), ("disk", "disk", DISK_OBJECTS))
    ),
    Row("disk_damaged", DISK_DAMAGED, "counter", "worker", "fastedge_cache_damaged_total", {},
        "Records on disk that were found damaged, and deleted."),
    *(
        Row(f"purges_{name}", cell, "counter", "worker", "fastedge_purges_total", {"kind": name},
            "Names purged, by kind; invalidation: by an unsafe method or an origin's word, not by an operator.")
        for name, cell in _PURGES
    ),
    *(
        Row(f"key_fetches_{name}", cell, "counter", "worker", "fastedge_key_fetches_total", {"outcome": name},
            "Fetches of keys (`jwks_url`, `openid_issuer`): other keys than before, the same, or none.")
        for name, cell in _KEY_FETCHES
    ),
    Row("key_fetches_early", KEY_FETCHES_EARLY, "counter", "worker", "fastedge_key_fetches_early_total", {},
        "Such fetches that were made out of turn, for a token whose key was not known."),
    Row("keys_age_s", KEYS_AGE_S, "gauge", "worker", "fastedge_keys_age_seconds", {},
        "Since the last good fetch of the keys for which that is longest ago."),
    Row("keys_unavailable", KEYS_UNAVAILABLE, "gauge", "worker", "fastedge_keys_unavailable", {},
        "Names whose keys could not be fetched, or not for too long: whoever needs them gets a 503."),
    Row("revocations", REVOCATIONS, "gauge", "worker", "fastedge_revocations", {},
        "Revocations in force, from the file and POSTed."),
    Row("revocations_capacity", REVOCATIONS_CAPACITY, "gauge", "worker", "fastedge_revocations_capacity", {},
        "How many there can be: revocations.entries_max."),
    *(
        Row(f"geo_swaps_{name}", cell, "counter", "worker", "fastedge_geo_swaps_total", {"outcome": name},
            "Geo tables made anew because a file of [geo] had changed; failed: the one in use stayed.")
        for name, cell in (("done", GEO_SWAPS_DONE), ("failed", GEO_SWAPS_FAILED))
    ),
    Row("geo_age_s", GEO_AGE_S, "gauge", "worker", "fastedge_geo_age_seconds", {},
        "Since the date that the data of the geo table bear; of several databases the oldest."),
    Row("log_lines_dropped", LOG_LINES_DROPPED, "counter", "worker", "fastedge_log_lines_dropped_total", {},
        "Access log lines lost because whoever takes the log was too slow or gone."),
    Row("log_write_errors", LOG_WRITE_ERRORS, "counter", "worker", "fastedge_log_write_errors_total", {},
        "Failed attempts to write or reopen the access log."),
    Row("reloads_done", RELOADS_DONE, "counter", "worker", "fastedge_reloads_total", {"outcome": "done"},
        "Reloads of the configuration; a refused one left the old configuration serving."),
    Row("reloads_refused", RELOADS_REFUSED, "counter", "worker", "fastedge_reloads_total", {"outcome": "refused"},
        "Reloads of the configuration; a refused one left the old configuration serving."),
    Row("restarts_exited", RESTARTS_EXITED, "counter", "worker", "fastedge_worker_restarts_total", {"reason": "exited"},
        "Workers replaced by the supervisor."),
    Row("restarts_stuck", RESTARTS_STUCK, "counter", "worker", "fastedge_worker_restarts_total", {"reason": "stuck"},
        "Workers replaced by the supervisor."),
)

# What a histogram shows: buckets up to 2^k µs each, a subset of those that are counted, so that the sums are exact.
BOUNDS_LOG2_US = (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 26)

# origins beyond metrics_origins_max share the last block
OTHER_ORIGIN = "(other)"

cdef int _origins_max = metrics_origins_max
cdef int SLOT_CELLS = ORIGINS_FIRST + (_origins_max + 1) * ORIGIN_CELLS
cdef long long MAGIC = 0x7363697274656d46   # "Fmetrics"
cdef long long LAYOUT = 5                   # goes up with each change of the cells
cdef int HEADER_CELLS = 8                   # magic, layout, workers, bytes of a slot; a cache line

_rows = {row.name: row for row in TABLE}

# status → cell, filled once below; 0: counted in its class alone
cdef short _status_cell[600]
memset(_status_cell, 0, sizeof(_status_cell))
for _i, _status in enumerate(STATUSES):
    _status_cell[_status] = STATUS_FIRST + _i


def mapping_bytes(int workers):
    """How long the shared mapping is for so many workers and their supervisor."""
    return 8 * (HEADER_CELLS + (workers + 1) * SLOT_CELLS)


def initialise(buffer, int workers):
    """Makes a zeroed, writable mapping of `mapping_bytes(workers)` ready. Slot `workers` is the supervisor's."""
    cdef Py_buffer view
    cdef int64_t* header
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        if workers < 1 or view.len < mapping_bytes(workers):
            raise ValueError(f"metrics of {workers} workers need {mapping_bytes(workers)} bytes, not {view.len}")
        header = <int64_t*> view.buf
        header[0], header[1], header[2], header[3] = MAGIC, LAYOUT, workers, 8 * SLOT_CELLS
    finally:
        PyBuffer_Release(&view)


@cython.final
cdef class Metrics:
    """One slot of the mapping, for its one writer: worker 0, 1, …, or the supervisor (`slot` = number of workers).

    ValueError for a buffer that `initialise` of this version did not make, or a slot that it does not have.
    """

    def __cinit__(self, buffer, int slot):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        workers = _workers(&self.view)
        if not 0 <= slot <= workers:
            raise ValueError(f"there is no slot {slot} in metrics of {workers} workers")
        self.cells = <int64_t*> self.view.buf + HEADER_CELLS + <Py_ssize_t> slot * SLOT_CELLS

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cdef void count_request(self, int status, long long bytes_in, long long bytes_out, long long duration_us) noexcept:
        self._count_answer(status, bytes_in, bytes_out)
        self.observe(REQUEST_DURATION, duration_us)

    cdef int count_refusal(self, int status, str reason, long long bytes_in, long long bytes_out) except -1:
        self._count_answer(status, bytes_in, bytes_out)
        self.add(refusal_cell(status, reason), 1)
        return 0

    cdef void _count_answer(self, int status, long long bytes_in, long long bytes_out) noexcept:
        if not 100 <= status <= 599:
            status = 0
        self.add(REQUESTS_ABORTED + status // 100, 1)
        if _status_cell[status]:
            self.add(_status_cell[status], 1)
        self.add(BYTES_IN, bytes_in)
        self.add(BYTES_OUT, bytes_out)

    # --- Python face --------------------------------------------------------------------------------------------

    def begin(self, long long pid, long long generation, long long now_ns):
        """A new worker takes the slot: counters go on, gauges and state start afresh."""
        self.retire()
        self.put(HEARTBEAT_NS, now_ns)
        self.put(PID, pid)
        self.put(GENERATION, generation)

    def retire(self):
        """The slot's worker is gone, and with it what its gauges and its state said."""
        for row in TABLE:
            if row.kind == "state" or row.kind == "gauge":
                for cell in _cells_of(row):
                    self.put(cell, 0)

    def beat(self, long long now_ns):
        """The loop is alive at this monotonic time."""
        self.put(HEARTBEAT_NS, now_ns)

    def count(self, str name, long long n=1, *, int origin=0):
        """Adds to the counter or gauge that TABLE calls `name`."""
        row = _rows[name]
        if row.kind != "counter" and row.kind != "gauge":
            raise ValueError(f"{name} is a {row.kind}, which does not count")
        self.add(_cell(row, origin), n)

    def set(self, str name, long long value, *, int origin=0):
        """Sets the state or gauge that TABLE calls `name`."""
        self.put(_cell(_rows[name], origin), value)

    def value(self, str name, *, int origin=0):
        """What this slot's cell holds; of a histogram the sum in µs."""
        row = _rows[name]
        return self.cells[_cell(row, origin) + (HISTOGRAM_SUM if row.kind == "histogram" else 0)]

    def observe_us(self, str name, long long us, *, int origin=0):
        """One more measurement for the histogram that TABLE calls `name`."""
        row = _rows[name]
        if row.kind != "histogram":
            raise ValueError(f"{name} is a {row.kind}, not a histogram")
        self.observe(_cell(row, origin), us)

    def request(self, int status, long long bytes_in, long long bytes_out, long long duration_us):
        """Counts one request; 0 for a status is a client that left before an answer began."""
        self.count_request(status, bytes_in, bytes_out, duration_us)

    def refusal(self, int status, str reason, long long bytes_in=0, long long bytes_out=0):
        """Counts one request that was refused at the rim; not to be counted by `request` too."""
        self.count_refusal(status, reason, bytes_in, bytes_out)

    def address_of(self, str name, *, int origin=0):
        """Where the cell is in memory, for `BoundPipeline.set_marker`; valid as long as this object lives."""
        return <size_t> &self.cells[_cell(_rows[name], origin)]


def read_all(buffer):
    """All slots summed, a list of ints by cell; the cells of state are 0, for their sums would mean nothing."""
    cdef Py_buffer view
    cdef int64_t* slot
    cdef int i, j
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
    try:
        sums = [0] * SLOT_CELLS
        for i in range(_workers(&view) + 1):
            slot = <int64_t*> view.buf + HEADER_CELLS + <Py_ssize_t> i * SLOT_CELLS
            for j in range(REQUESTS_ABORTED, SLOT_CELLS):
                if slot[j]:
                    sums[j] += slot[j]
        return sums
    finally:
        PyBuffer_Release(&view)


def read_worker(buffer, int slot):
    """The state of one worker, for the supervisor that watches it; pid 0 while nobody has the slot."""
    cdef Py_buffer view
    cdef int64_t* cells
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
    try:
        if not 0 <= slot <= _workers(&view):
            raise ValueError(f"there is no slot {slot}")
        cells = <int64_t*> view.buf + HEADER_CELLS + <Py_ssize_t> slot * SLOT_CELLS
        return WorkerState(cells[<int> PID], cells[<int> GENERATION], cells[<int> HEARTBEAT_NS], cells[<int> MARKER])
    finally:
        PyBuffer_Release(&view)


def row_cell(row, int origin=0):
    """The first cell of a row of TABLE, for the origin with this index."""
    return _cell(row, origin)


def bucket_bounds_us():
    """The upper bounds of a histogram's buckets in µs, each excluded from its bucket; the last bucket has none."""
    bounds = [1 << HISTOGRAM_LOG2_MIN]
    for exponent in range(HISTOGRAM_LOG2_MIN, HISTOGRAM_LOG2_MAX):
        bounds += [(4 + quarter) << (exponent - 2) for quarter in (1, 2, 3, 4)]
    return bounds


def bucket_index(long long us):
    """The bucket that a duration falls into."""
    return bucket_of(us)


def extend_origins(known, names):
    """Names by index after a reload: those that have an index keep it, for its counters are theirs."""
    return (*known, *(name for name in dict.fromkeys(names) if name not in known))


cdef int origin_cell(int origin, int cell) noexcept:
    """The cell of an origin's block; what has no block of its own shares the last one."""
    if not 0 <= origin < _origins_max:
        origin = _origins_max
    return ORIGINS_FIRST + origin * ORIGIN_CELLS + cell


cdef int refusal_cell(int status, str reason) except -1:
    """A reason that no class names is bad syntax, a status that none names an overload of ours."""
    if status == 400:
        for word, cell in _cell_by_word:
            if word in reason:
                return cell
    return _cell_by_refused_status.get(status, REFUSED_SYNTAX if status < 500 else REFUSED_OVERLOAD)


cdef int _cell(row, int origin) except -1:
    return origin_cell(origin, row.cell) if row.scope == "origin" else row.cell


cdef list _cells_of(row):
    return [_cell(row, origin) for origin in range(_origins_max + 1)] if row.scope == "origin" else [row.cell]


cdef long long _workers(Py_buffer* view) except -1:
    """How many workers' slots the mapping has, once its header is what `initialise` writes."""
    cdef int64_t* header = <int64_t*> view.buf
    if view.len < 8 * HEADER_CELLS or header[0] != MAGIC:
        raise ValueError("this is no metrics mapping")
    if header[1] != LAYOUT or header[3] != 8 * SLOT_CELLS:
        raise ValueError("this metrics mapping was made by another version of fastedge")
    if header[2] < 1 or view.len < 8 * (HEADER_CELLS + (header[2] + 1) * SLOT_CELLS):
        raise ValueError("this metrics mapping is cut short")
    return header[2]
