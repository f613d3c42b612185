"""What all client connections of a worker share. A reload swaps what decides; requests in flight keep what they have."""

cimport cython

from email.utils import formatdate

from fastedge._core.fields cimport intern_text
from fastedge._core.purges cimport Purges
from fastedge._core.store cimport MemoryStore
from fastedge._core.wire cimport RequestReader
from fastedge._core.writer cimport HeadWriter
from fastedge.handover import private_purges
from fastedge.limits import cache_collapse_wait_ms, linger_timeout_ms, tunnel_idle_timeout_ms
from fastedge.origin.fetch cimport OriginSide
from fastedge.server.flight cimport Flights
from fastedge.server.observer cimport Observer
from fastedge.server.readyhits cimport ReadyHits
from fastedge.server.timers cimport Timers


@cython.final
cdef class Front:
    """What all client connections of a worker share: the engine, the pools, one reader, one writer, the timers.

    `perform(step, callback)` runs what a Wait asks for; `report(failure)` takes a stage's error; `observer` hears of
    each finished request. `store` and `flights` come together, or not at all: then nothing is stored. Without `purges` there is a
    table of its own. With `collected_body_bytes_max` a request is decided on when its body is there, as `request.content`; else bodies are
    streamed. A reload assigns `engine`, `pools` and `trust` anew.
    """

    def __init__(
        self, OriginSide origin_side, Timers timers, *, server, perform, report, Observer observer=None,
        MemoryStore store=None, Purges purges=None, Flights flights=None, collected_body_bytes_max=0,
    ):
        self.origin_side = origin_side
        self.timers = timers
        self.perform = perform
        self.report = report
        self.observer = observer
        self.store = store
        self.flights = flights
        self.ready = ReadyHits()
        self.reader = RequestReader()
        self.writer = HeadWriter()
        self.connections = set()
        self.purges = private_purges() if purges is None else purges
        self.collected_body_bytes_max = collected_body_bytes_max
        self.configure(server)

    def configure(self, server):
        """Takes over the live keys of `[server]`."""
        cdef bytes cdn_id = server.cdn_id.encode("ascii")
        self.connections_max = server.connections_max
        self.request_body_bytes_max = self.collected_body_bytes_max or server.request_body_mb_max << 20
        self.header_queue = self.timers.queue(server.header_timeout_ms)
        self.idle_queue = self.timers.queue(server.idle_timeout_ms)
        self.body_queue = self.timers.queue(server.body_timeout_ms)
        self.send_queue = self.timers.queue(server.send_timeout_ms)
        self.linger_queue = self.timers.queue(linger_timeout_ms)
        self.tunnel_queue = self.timers.queue(tunnel_idle_timeout_ms)
        self.patience_queue = self.timers.queue(cache_collapse_wait_ms)
        self.via = b"via: 1.1 %b\r\n" % cdn_id
        self.cdn_loop = b"cdn-loop: %b\r\n" % cdn_id

    def take_geo_from(self, name):
        """The field of `geo.ip_override`, or None."""
        self.geo_override = None if name is None else intern_text(name)

    def drain(self):
        """From now on each connection is closed behind its reply; idle ones at once."""
        self.draining = True
        for connection in list(self.connections):
            connection.close_if_idle()

    cdef int refresh_date(self, double now) except -1:
        if <long> now != self.date_second:
            self.date_second = <long> now
            self.date_line = b"date: %b\r\n" % formatdate(self.date_second, usegmt=True).encode("ascii")
        return 0
