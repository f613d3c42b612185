"""An exchange's way to what answers it: the store, a flight that it shares, a fetch of its own, what a stage waits for.

Acts on the engine's steps and hears of what was asked. Who asks, and what becomes of the answer, is the subclass's.
"""

from functools import partial

from fastedge._core.body cimport CHUNKED, LENGTH, NO_BODY
from fastedge._core.message cimport STREAM, Plan, make_response
from fastedge.clock cimport monotonic_us
from fastedge.engine cimport FETCH, GATHER, REPLY, SEND, SHARE
from fastedge.origin.pool cimport Pool
from fastedge.server.flight cimport Flights

cdef bytes HEAD = b"HEAD"
cdef frozenset IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"))  # RFC 9110 §9.2.2


cdef class Asking(FlightListener):
    """One exchange at a time."""

    # --- the subclass's -----------------------------------------------------------------------------------------

    cdef int _reply(self) except -1:
        raise NotImplementedError

    cdef int _send_hit(self) except -1:
        raise NotImplementedError

    cdef int _stream(self, list nominated, Framing framing, long long length) except -1:
        raise NotImplementedError

    cdef int _gather(self) except -1:
        raise NotImplementedError

    cdef int _go_on(self) except -1:
        raise NotImplementedError

    cdef Framing _body_framing(self, long long* length) noexcept:
        return NO_BODY

    cdef bytes _forwarded(self, Request request):
        raise NotImplementedError

    cdef bytes _forwarded_for(self, Request request):
        raise NotImplementedError

    cdef int _be_patient(self) except -1:
        raise NotImplementedError

    cdef int _patient_no_more(self) except -1:
        raise NotImplementedError

    # --- what the engine says -----------------------------------------------------------------------------------

    cdef int _act(self, int step) except -1:
        cdef Exchange exchange = self.exchange
        cdef bint is_whole
        if step == SEND:
            return self._send_hit()
        if step == REPLY:
            if exchange.failure is not None:
                self.front.report(exchange.failure)
            if exchange.page is not None and exchange.page.failures is not None:
                for failure in exchange.page.failures:
                    self.front.report(failure)
            is_whole = not exchange.collects    # else there is another reply to come
            self._reply()
            return self._refresh(exchange) if exchange.refreshes and is_whole else 0
        if step == FETCH:
            return self._start_fetch()
        if step == SHARE:
            return self._share()
        if step == GATHER:
            return self._gather()
        self.front.perform(exchange.wait.step, partial(self._answered, exchange))
        return 0

    def _answered(self, Exchange exchange, answer):
        """What a Wait asked for has come; maybe nobody wants it any more."""
        if self.exchange is exchange:
            self._act(exchange.resume(answer))
            self._go_on()

    cdef int _start_fetch(self) except -1:
        self.fetch = self._fetch_for(self.exchange, self, False)
        return self.fetch.start(self.started_us)

    cdef Fetch _fetch_for(self, Exchange exchange, FetchListener listener, bint is_shared):
        """What the origin is asked. For several, it is asked for the whole, even if by a HEAD; or whether the stored response
        is still good."""
        cdef Front front = self.front
        cdef Request request = exchange.request
        cdef Plan plan = exchange.ctx.plan
        cdef Pool pool = <Pool> self.pools[plan.origin_name]
        cdef Fetch fetch = Fetch.__new__(Fetch)
        cdef bytes host = pool.host_for(request.authority)
        cdef long long length = 0
        cdef Framing framing = self._body_framing(&length)
        fetch.pool = pool
        fetch.side = front.origin_side
        fetch.listener = listener
        fetch.head = front.writer.origin_request(
            request, plan, host, self._forwarded(request), self._forwarded_for(request), front.via, front.cdn_loop,
            framing, length, self.expects_continue, self.accepts_trailers, self.upgrade, self.nominated,
            is_shared, exchange.validators() if is_shared else None,
        )
        fetch.is_shared = is_shared
        fetch.lacks_host = host is None
        fetch.idempotent = request.method_wire in IDEMPOTENT
        fetch.may_retry = pool.may_retry
        fetch.to_head = request.method_wire == HEAD and not is_shared
        fetch.wants_tunnel = self.upgrade is not None
        fetch.awaits_continue = self.expects_continue
        fetch.replayable = True
        fetch.pieces = []
        fetch.sent = not self.reading_body
        return fetch

    cdef int _share(self) except -1:
        """Joins a flight, or begins one for all who come meanwhile; where the last answer was for one alone nobody waits."""
        cdef Flights flights = self.front.flights
        cdef Exchange exchange = self.exchange
        cdef Flight flight
        cdef str reason = flights.unshared.reason_for(exchange)
        cdef int step
        if reason is not None:
            return self._act(exchange.alone(reason))
        flight = flights.find(exchange)
        if flight is not None:
            return self._join(flight)
        if flights.tiers.load(exchange, partial(self._disk_was_asked, exchange)):
            return 0
        if exchange.falls_back():
            return self._act(exchange.look())
        claim = flights.tiers.claim(exchange)
        if claim is not None and not claim.is_leader:
            flight = flights.begin(exchange)
            flight.follow = claim.follow(flight)
            return self._join(flight)
        step = exchange.lead()
        if step != SHARE:
            if claim is not None:
                claim.release()
            return self._act(step)
        flight = flights.begin(exchange)
        flight.claim = claim
        self.reader = flight.join(self, exchange)
        flight.fetch = self.reader.fetch = self._fetch_for(exchange, flight, True)
        return flight.fetch.start(self.started_us)

    cdef int _join(self, Flight flight) except -1:
        """One of several who wait, though not for ever."""
        self.reader = flight.join(self, self.exchange)
        self._be_patient()
        return flight.catch_up(self.reader)

    def _disk_was_asked(self, Exchange exchange):
        if self.exchange is exchange:
            self._act(exchange.look())
            self._go_on()

    cdef int _refresh(self, Exchange exchange) except -1:
        """Has refreshed what was just sent stale, unless somebody is at it already; nobody waits for it."""
        cdef Flight flight
        if self.front.flights.find(exchange) is not None:
            return 0
        claim = self.front.flights.tiers.claim(exchange)
        if claim is not None and not claim.is_leader:
            return 0        # another worker is at it
        if exchange.leads_refresh():
            flight = self.front.flights.begin(exchange)
            flight.claim = claim
            flight.fetch = self._fetch_for(exchange, flight, True)
            return flight.fetch.start(monotonic_us())
        if claim is not None:
            claim.release()
        if exchange.failure is not None:
            self.front.report(exchange.failure)
        return 0

    # --- the end of a source ------------------------------------------------------------------------------------

    cdef int _drop_fetch(self) except -1:
        """Nobody here wants what still comes."""
        cdef Fetch fetch = self.fetch
        cdef Reader reader = self.reader
        if reader is not None:
            self._leave_flight()
            reader.cancel()
        if fetch is not None:
            self.fetch = None
            fetch.cancel()
            self.last_fetch = fetch
        return 0

    cdef int _leave_flight(self) except -1:
        """It has ended, or goes on without this one; who began it says in the log what came of it."""
        cdef Reader reader = self.reader
        if reader is not None:
            self._patient_no_more()
            self.reader = None
            if reader.fetch is not None:
                self.last_fetch = reader.fetch
        return 0

    cdef int _source_ended(self) except -1:
        self._leave_flight()
        if self.fetch is not None:
            self.last_fetch = self.fetch
            self.fetch = None
        return 0

    # --- what the fetch says ------------------------------------------------------------------------------------

    cdef int on_head(self, int status, Fields fields, list nominated, Framing framing, long long length) except -1:
        cdef int step = self.exchange.fetched(make_response(status, fields, STREAM))
        if self.exchange.said is not None:
            self.front.flights.unshared.reconsider(self.exchange.key, self.exchange.said)
        if self.exchange.gone is not None and self.front.observer is not None:
            self.front.observer.invalidated(self.exchange.gone)
        return self._go_on_with(step, nominated, framing, length)

    cdef int _go_on_with(self, int step, list nominated, Framing framing, long long length) except -1:
        """The head of an answer is there, and its body to come: unless a hook has replaced that."""
        if self.exchange.response.is_stream():
            return self._stream(nominated, framing, length)
        self._drop_fetch()
        self._act(step)
        return self._go_on()

    # --- what a flight says -------------------------------------------------------------------------------------

    cdef int on_shared_head(self, Stored arriving) except -1:
        """The head of what is being stored; a part, or less than that, may be all that was asked for."""
        cdef Exchange exchange = self.exchange
        cdef long long length = arriving.length
        self._patient_no_more()
        cdef int step = exchange.reply_stored(arriving, "COLLAPSED" if exchange.collapsed else exchange.ctx.cache, STREAM)
        if exchange.part.count >= 0:
            self.reader.skip, self.reader.left, length = exchange.part.first, exchange.part.count, exchange.part.count
        return self._go_on_with(step, None, LENGTH if length >= 0 else CHUNKED, length)

    cdef int on_own_head(self, Response response, list nominated, Framing framing, long long length) except -1:
        self._patient_no_more()
        return self._go_on_with(self.exchange.reply_with(response), nominated, framing, length)

    cdef int on_stored(self, Stored stored, str outcome, int origin_status) except -1:
        self._leave_flight()
        self.exchange.origin_status = origin_status
        self._act(self.exchange.reply_stored(stored, outcome, stored.body))
        return self._go_on()

    cdef int on_broken(self, object failure) except -1:
        self._leave_flight()
        self.exchange.broken(failure)       # the flight has reported it
        self._reply()
        return self._go_on()

    cdef int on_released(self, str reason) except -1:
        cdef Reader reader = self.reader
        self._leave_flight()
        reader.cancel()
        self._act(self.exchange.look() if reason is None else self.exchange.alone(reason))
        return self._go_on()
