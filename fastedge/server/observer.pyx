"""Counts and logs each request as it ends. Costs integers and one line in a buffer; never waits for a disk or a scrape."""

cimport cython
from libc.stdint cimport uint64_t

from datetime import UTC, datetime

from orjson import OPT_APPEND_NEWLINE, dumps

from fastedge._core.accesslog cimport LogBuffer, Measured
from fastedge._core.metrics cimport (
    CACHE_BYPASS, CACHE_COLLAPSED, CACHE_DYNAMIC, CACHE_EXPIRED, CACHE_HIT, CACHE_MISS, CACHE_REVALIDATED, CACHE_STALE,
    CACHE_STORED, CACHE_UPDATING,
    CONNECTIONS_ACCEPTED, CONNECTIONS_OPEN, CONNECTIONS_REFUSED, LOG_LINES_DROPPED, ORIGIN_FAILED_BREAKER_OPEN, ORIGIN_FAILED_CONNECT,
    ORIGIN_FAILED_PROTOCOL, ORIGIN_FAILED_QUEUE_FULL, ORIGIN_FAILED_RESET, ORIGIN_FAILED_TIMEOUT, ORIGIN_FIRST_BYTE,
    ORIGIN_REQUESTS, ORIGIN_RETRIES, PURGES_INVALIDATION, STAGE_FAILURES, Metrics, origin_cell,
)
from fastedge._core.message cimport Context
from fastedge.clock cimport monotonic_us
from fastedge.engine cimport Exchange
from fastedge.limits import log_batch_bytes
from fastedge.origin.fetch cimport Fetch

cdef Py_ssize_t BATCH_BYTES = log_batch_bytes

# Proxy error type (RFC 9209 §2.3) → the counter of the origin's failures.
cdef dict _FAILURES = {
    "connection_refused": ORIGIN_FAILED_CONNECT,
    "destination_ip_unroutable": ORIGIN_FAILED_CONNECT,
    "dns_error": ORIGIN_FAILED_CONNECT,
    "tls_certificate_error": ORIGIN_FAILED_CONNECT,
    "tls_protocol_error": ORIGIN_FAILED_CONNECT,
    "connection_timeout": ORIGIN_FAILED_TIMEOUT,
    "connection_write_timeout": ORIGIN_FAILED_TIMEOUT,
    "connection_read_timeout": ORIGIN_FAILED_TIMEOUT,
    "http_response_timeout": ORIGIN_FAILED_TIMEOUT,
    "connection_terminated": ORIGIN_FAILED_RESET,
    "http_response_incomplete": ORIGIN_FAILED_RESET,
    "http_protocol_error": ORIGIN_FAILED_PROTOCOL,
    "connection_limit_reached": ORIGIN_FAILED_QUEUE_FULL,
    "destination_unavailable": ORIGIN_FAILED_BREAKER_OPEN,
}

cdef dict _OUTCOMES = {
    "HIT": CACHE_HIT, "MISS": CACHE_MISS, "EXPIRED": CACHE_EXPIRED, "REVALIDATED": CACHE_REVALIDATED, "STALE": CACHE_STALE,
    "UPDATING": CACHE_UPDATING, "BYPASS": CACHE_BYPASS, "DYNAMIC": CACHE_DYNAMIC, "COLLAPSED": CACHE_COLLAPSED,
}


@cython.final
cdef class Observer:
    """`metrics` is this worker's slot; `write` takes batches of log lines, None switches the access log off; `expose`
    takes lines of exposures."""

    def __init__(self, Metrics metrics, *, int worker=0, write=None, expose=None):
        self.expose = expose
        self.metrics = metrics
        self.write = write
        self.log = None if write is None else LogBuffer(worker)

    def flush(self):
        """Hands on what has gathered; the shell's tick calls it."""
        if self.log is not None:
            if self.log.size:
                self.write(self.log.take())
            if self.log.dropped != self.dropped:
                self.metrics.add(LOG_LINES_DROPPED, self.log.dropped - self.dropped)
                self.dropped = self.log.dropped

    cdef int replied(self, Exchange exchange, Fetch fetch, str error, const Traffic* traffic) except -1:
        """One exchange has ended, its reply sent or given up."""
        cdef Measured measured
        measured.status = traffic.status
        measured.bytes_in = traffic.bytes_in
        measured.bytes_out = traffic.bytes_out
        measured.duration_us = monotonic_us() - traffic.started_us
        measured.origin_asked = fetch is not None
        measured.origin_status = 0 if fetch is None else fetch.status
        measured.origin_us = -1 if fetch is None or not fetch.status else fetch.first_byte_us - fetch.started_us
        self.metrics.count_request(measured.status, measured.bytes_in, measured.bytes_out, measured.duration_us)
        if exchange.store is not None:
            self.metrics.add(_OUTCOMES[exchange.ctx.cache], 1)
        if error is None:
            error = exchange.error
        if fetch is not None and not fetch.is_shared:
            self.fetched(fetch, error)
        if exchange.failure is not None:
            self.metrics.add(STAGE_FAILURES, 1)
        if self.expose is not None and exchange.ctx.exposures is not None:
            self.expose(exposure_lines(exchange.ctx.exposures, exchange.ctx, exchange.site.name))
        if self.log is not None:
            detail = None if exchange.failure is None else str(exchange.failure)
            self.log.line(exchange.request, exchange.ctx, exchange.site.name, error, detail, &measured)
            if self.log.size >= BATCH_BYTES:
                self.flush()
        return 0

    cdef int refused(self, double now, const unsigned char* client, str reason, const Traffic* traffic) except -1:
        """Bytes that never became a request that a stage saw."""
        cdef Measured measured
        measured.status = traffic.status
        measured.bytes_in = traffic.bytes_in
        measured.bytes_out = traffic.bytes_out
        measured.duration_us = monotonic_us() - traffic.started_us
        measured.origin_asked = False
        measured.origin_status = 0
        measured.origin_us = -1
        self.metrics.count_refusal(traffic.status, reason, traffic.bytes_in, traffic.bytes_out)
        if self.log is not None:
            self.log.refusal(now, client, reason, False, &measured)
            if self.log.size >= BATCH_BYTES:
                self.flush()
        return 0

    cdef int fetched(self, Fetch fetch, str error) except -1:
        """An origin was asked, for one client or for several."""
        cdef int index = fetch.pool.index
        self.metrics.add(origin_cell(index, ORIGIN_REQUESTS), 1)
        if fetch.attempts > 1:
            self.metrics.add(origin_cell(index, ORIGIN_RETRIES), fetch.attempts - 1)
        if fetch.status:
            self.metrics.observe(origin_cell(index, ORIGIN_FIRST_BYTE), fetch.first_byte_us - fetch.started_us)
        if error is not None and error in _FAILURES:
            self.metrics.add(origin_cell(index, _FAILURES[error]), 1)
        return 0

    cdef int stored(self) except -1:
        self.metrics.add(CACHE_STORED, 1)
        return 0

    cdef int invalidated(self, bytes names) except -1:
        """Purge names, packed, that an unsafe method has purged."""
        self.metrics.add(PURGES_INVALIDATION, len(names) // sizeof(uint64_t))
        return 0

    cdef int opened(self) except -1:
        self.metrics.add(CONNECTIONS_ACCEPTED, 1)
        self.metrics.add(CONNECTIONS_OPEN, 1)
        return 0

    cdef int closed(self) except -1:
        self.metrics.add(CONNECTIONS_OPEN, -1)
        return 0

    cdef int turned_away(self) except -1:
        self.metrics.add(CONNECTIONS_REFUSED, 1)
        return 0


cdef bytes exposure_lines(list exposures, Context ctx, str site):
    """One JSON object a line; the visitor is a hash already."""
    cdef str country = ctx.geo.country if ctx.geo_table is not None else ""
    moment = datetime.fromtimestamp(ctx.now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return b"".join([
        dumps({
            "ts": moment, "experiment": experiment, "variant": variant, "visitor": visitor, "country": country or None,
            "site": site or None,
        }, option=OPT_APPEND_NEWLINE)
        for experiment, variant, visitor in exposures
    ])
