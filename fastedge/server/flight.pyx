"""A flight: one fetch for all who ask for the same at the same time, streamed to them as it arrives, and into the store.

Never gives one client what was meant for another: what proves not to be for sharing goes to the one who asked first, and
the others are sent on their own way at once. What ends too early is not stored.
"""

cimport cython

from fastedge._core.body cimport LENGTH, Framing
from fastedge._core.fields cimport ETAG, LAST_MODIFIED, FieldName, Fields, known
from fastedge._core.message cimport STREAM, Response, make_response
from fastedge._core.purges cimport HARD
from fastedge._core.store cimport MemoryStore
from fastedge._core.stored cimport Stored, age_s
from fastedge._core.storedhead cimport fields_of, head_value
from fastedge.caching.reuse cimport VALIDATE, use_of
from fastedge.caching.storing cimport Assessment, assess
from fastedge.caching.validation cimport freshened, selects
from fastedge.caching.vary cimport matches
from fastedge.clock cimport monotonic_us, steady_us, wall_seconds
from fastedge.engine cimport Exchange
from fastedge.limits import cache_uncollapsed_keys_max, cache_uncollapsed_s, cache_window_bytes_max
from fastedge.origin.fetch cimport Fetch, FetchListener
from fastedge.server.observer cimport Observer

cdef FieldName _ETAG = known(ETAG)
cdef FieldName _LAST_MODIFIED = known(LAST_MODIFIED)
cdef long long WINDOW = cache_window_bytes_max
cdef long long UNSHARED_US = cache_uncollapsed_s * 1_000_000
cdef Py_ssize_t UNSHARED_MAX = cache_uncollapsed_keys_max
cdef frozenset FAILURES = frozenset((500, 502, 503, 504))   # RFC 5861 §4


cdef class FlightListener(FetchListener):
    cdef int on_shared_head(self, Stored arriving) except -1:
        raise NotImplementedError

    cdef int on_own_head(self, Response response, list nominated, Framing framing, long long length) except -1:
        raise NotImplementedError

    cdef int on_stored(self, Stored stored, str outcome, int origin_status) except -1:
        raise NotImplementedError

    cdef int on_broken(self, object failure) except -1:
        raise NotImplementedError

    cdef int on_released(self, str reason) except -1:
        raise NotImplementedError


@cython.final
cdef class Reader:
    """One listener's place in a flight: it may pause, resume and leave without anyone else noticing."""

    cdef int pause(self) except -1:
        self.paused = True
        return 0

    cdef int resume(self) except -1:
        self.paused = False
        if self.flight is not None:
            self.flight._deliver(self)
        return 0

    cdef int cancel(self) except -1:
        if self.flight is not None:
            self.flight._leave(self)
        return 0

    cdef bytes _part_of(self, bytes piece):
        """What of the next piece belongs to the part that was asked for."""
        cdef Py_ssize_t first = 0, size = len(piece)
        if self.skip:
            first = <Py_ssize_t> min(self.skip, size)
            self.skip -= first
        if self.left >= 0:
            size = <Py_ssize_t> min(size, first + self.left)
            self.left -= size - first
        return piece if first == 0 and size == len(piece) else piece[first:size]


@cython.final
cdef class Flight(FetchListener):
    """Joined by readers; listens to its fetch. `exchange` is the one of who asked first: its hooks run, once."""

    cdef Reader join(self, FlightListener listener, Exchange exchange):
        """One more who waits, or reads from the beginning what has arrived."""
        cdef Reader reader = Reader.__new__(Reader)
        reader.flight = self
        reader.listener = listener
        reader.exchange = exchange
        reader.left = -1
        self.readers.append(reader)
        return reader

    cdef int catch_up(self, Reader reader) except -1:
        """What has arrived before the reader came."""
        if self.state == SHARED:
            self._begin(reader)
            if reader.flight is self:
                self._deliver(reader)
            if reader.flight is self:
                reader.listener.on_flush()
        return 0

    cdef bint takes(self, Exchange exchange) except -1:
        """Whether what is fetched may be the answer to this exchange too."""
        cdef Stored known = self.validated if self.arriving is None else self.arriving
        if self.state > SHARED or self.first > 0:
            return False
        return known is None or self._answers(known, exchange)

    cdef bint is_fresh_for(self, Exchange exchange) except -1:
        """Whether what began to arrive before this request came need not be validated first."""
        return self.arriving is None or use_of(
            self.arriving, age_s(self.arriving, exchange.now_us), exchange.request, exchange.ctx.plan, False
        ) != VALIDATE

    cdef bint _answers(self, Stored stored, Exchange exchange) except -1:
        """Not who asks for another variant, nor who came after a purge that the fetch was before."""
        if stored.vary is not None and not matches(stored.vary, exchange.request, exchange.ctx.plan):
            return False
        return not exchange.came_after_purge(stored, self.exchange.born)

    cdef int abandon(self) except -1:
        """The worker ends."""
        if self.fetch is not None and not self.readers:
            self.fetch.cancel()
        return self._end(None)

    cdef int _leave(self, Reader reader) except -1:
        reader.flight = None
        self.readers.remove(reader)
        if not self.readers and not self.storing and self.state in (SHARED, PRIVATE):
            self.fetch.cancel()
            self._end(None)
        elif self.fetch_paused:
            self._trim()
        return 0

    # --- what the fetch says ------------------------------------------------------------------------------------

    cdef int on_informational(self, int status, Fields fields) except -1:
        """For the one who asked first: the others have asked for the final response alone."""
        cdef Reader reader
        for reader in self.readers:
            if reader.exchange is self.exchange:
                return reader.listener.on_informational(status, fields)
        return 0

    cdef int on_head(self, int status, Fields fields, list nominated, Framing framing, long long length) except -1:
        if self.validated is not None:
            if status == 304:
                return self._not_modified(fields)
            if status in FAILURES and self.exchange.may_stand_in(self.validated):
                return self._stand_in(status)
        return self._answered(status, fields, nominated, framing, length)

    cdef int _answered(self, int status, Fields fields, list nominated, Framing framing, long long length) except -1:
        """A response of its own: for all, or for the one who asked first."""
        cdef Response response = make_response(status, fields, STREAM)
        cdef Assessment assessment
        if self.exchange.origin_answered(response):
            return self._break()
        if not response.is_stream():
            framing, length = LENGTH, len(response.content)
        assessment = self._assess(response, nominated)
        if assessment.reason is None and length > self.flights.body_max:
            self._keep_to_one("too_large", response, nominated, framing, length)
        elif assessment.reason is not None:
            self._keep_to_one(assessment.reason, response, nominated, framing, length)
        else:
            self._share(assessment, response, nominated, length)
        if self.state != OVER and not response.is_stream():
            self.fetch.cancel()     # a hook has put a body of its own in its place
            self.on_body(response.content)
            self.on_end(None)
        return 0

    cdef Assessment _assess(self, Response response, list nominated):
        return assess(
            self.exchange.request, self.exchange.ctx.plan, response.code, response.fields, nominated,
            self.exchange.ctx.now, wall_seconds(),
        )

    cdef int _share(self, Assessment assessment, Response response, list nominated, long long length) except -1:
        cdef Reader reader
        self.arriving = self.exchange.stored_of(
            assessment, response.code, response.fields, nominated, steady_us(monotonic_us()), wall_seconds()
        )
        self.arriving.length = length
        self.state = SHARED
        self.storing = True
        for reader in list(self.readers):
            self._begin(reader)
        return 0

    cdef int _keep_to_one(self, str reason, Response response, list nominated, Framing framing, long long length) except -1:
        cdef Reader reader
        cdef Reader one = None
        self.flights.forget(self)
        self.flights.not_shared(self.exchange.key, reason, steady_us(monotonic_us()))
        if response.code not in FAILURES:
            self.flights.drop(self.validated)
        self.exchange.ctx.cache_reason = reason
        for reader in list(self.readers):
            if reader.exchange is self.exchange and not reader.exchange.asks_for_less():
                one = reader
            else:
                self._release(reader, reason)
        if one is None:
            self.fetch.cancel()
            return self._end(None)
        self.state = PRIVATE
        return one.listener.on_own_head(response, nominated, framing, length)

    cdef int _not_modified(self, Fields fields) except -1:
        """The stored response is good (RFC 9111 §4.3.3): it is freshened, and answers all who may share it."""
        cdef Response response
        cdef Assessment assessment
        cdef Stored fresh
        cdef Reader reader
        if not selects(
            head_value(self.validated.head, _ETAG), head_value(self.validated.head, _LAST_MODIFIED), fields
        ):
            return self._ask_anew()     # it is about another representation
        response = make_response(self.validated.status, freshened(fields_of(self.validated.head), fields), STREAM)
        if self.exchange.origin_answered(response):
            return self._break()
        if not response.is_stream():
            return self._ask_anew()     # a hook has put a body of its own in its place: let it see the whole answer
        assessment = self._assess(response, None)
        fresh = self.exchange.stored_of(
            assessment, response.code, response.fields, None, steady_us(monotonic_us()), wall_seconds()
        )
        fresh.body, fresh.length = self.validated.body, self.validated.length
        self.exchange.ctx.cache_reason = assessment.reason
        if assessment.reason is None:
            self.flights.keep(self.exchange.key, fresh)
        else:
            self.flights.drop(self.validated)
        self._end(None)
        for reader in self._take_readers():
            if reader.exchange is self.exchange or (assessment.reason is None and self._answers(fresh, reader.exchange)):
                reader.listener.on_stored(fresh, "REVALIDATED", 304)
            else:
                reader.listener.on_released(assessment.reason)
        return 0

    cdef int _ask_anew(self) except -1:
        """The 304 is of no use: each asks for all of it."""
        cdef Reader reader
        self.flights.drop(self.validated)
        self._end(None)
        for reader in self._take_readers():
            reader.listener.on_released("validation")
        return 0

    cdef int _break(self) except -1:
        """A hook has failed, for all who wait."""
        cdef Reader reader
        self.flights.report(self.exchange.failure)
        self.fetch.cancel()
        self._end("stage_error")
        for reader in self._take_readers():
            reader.listener.on_broken(self.exchange.failure)
        return 0

    cdef int _stand_in(self, int status) except -1:
        """The origin fails: what is stored stands in, for those who take it."""
        cdef Reader reader
        self.fetch.cancel()
        self._end(None)
        for reader in self._take_readers():
            if reader.exchange.may_stand_in(self.validated):
                reader.listener.on_stored(self.validated, "STALE", status)
            else:
                reader.listener.on_released("origin_error")
        return 0

    cdef int on_body(self, bytes data) except -1:
        cdef Reader reader
        self.pieces.append(data)
        self.size += len(data)
        self.held += len(data)
        if self.storing and self.size > self.flights.body_max:
            self.storing = False
            self.flights.forget(self)
            self.flights.not_shared(self.exchange.key, "too_large", steady_us(monotonic_us()))
        for reader in list(self.readers):
            self._deliver(reader)
        return self._trim()

    cdef int on_flush(self) except -1:
        cdef Reader reader
        for reader in list(self.readers):
            reader.listener.on_flush()
        return 0

    cdef int on_end(self, Fields trailers) except -1:
        cdef Reader reader
        self.trailers = trailers
        if self.storing:
            self._store()
        self._end(None)
        for reader in list(self.readers):
            self._deliver(reader)
        return 0

    cdef int on_failure(self, int status, str error) except -1:
        """Everyone hears of it; who may have the stale response instead takes it."""
        cdef Reader reader
        self._end(error)
        for reader in self._take_readers():
            reader.listener.on_failure(status, error)
        return 0

    # --- readers ------------------------------------------------------------------------------------------------

    cdef int _begin(self, Reader reader) except -1:
        """The head is there; a request that another variant answers goes its own way."""
        if not self.takes(reader.exchange):
            return self._release(reader, None)
        if reader.exchange is not self.exchange:
            reader.exchange.collapsed = True
        reader.exchange.kept = True
        return reader.listener.on_shared_head(self.arriving)

    cdef int _release(self, Reader reader, str reason) except -1:
        self._leave(reader)
        return reader.listener.on_released(reason)

    cdef int _deliver(self, Reader reader) except -1:
        """All that has arrived and that the reader takes."""
        cdef bytes piece
        while reader.flight is self and not reader.paused and reader.position < self.first + len(self.pieces):
            piece = reader._part_of(<bytes> self.pieces[reader.position - self.first])
            reader.position += 1
            if piece:
                reader.listener.on_body(piece)
            if reader.left == 0 and reader.flight is self:
                return self._finish(reader)
        if reader.flight is not self:
            return 0
        if self.state == OVER and reader.position == self.first + len(self.pieces):
            return self._finish(reader)
        if self.fetch_paused:
            self._trim()
        return 0

    cdef int _finish(self, Reader reader) except -1:
        """The reader has all that it asked for."""
        self._leave(reader)
        return reader.listener.on_end(self.trailers)

    cdef int _trim(self) except -1:
        """Lets go of what all have read, and holds the origin back where one of them is slow. What is stored stays whole."""
        cdef Reader reader
        cdef Py_ssize_t needed = self.first + len(self.pieces)
        if self.storing or self.state == OVER:
            return 0
        for reader in self.readers:
            needed = min(needed, reader.position)
        while self.first < needed:
            self.held -= len(<bytes> self.pieces.pop(0))
            self.first += 1
        if self.fetch_paused != (self.held > WINDOW):
            self.fetch_paused = not self.fetch_paused
            if self.fetch_paused:
                self.fetch.pause()
            else:
                self.fetch.resume()
        return 0

    cdef list _take_readers(self):
        cdef Reader reader
        readers, self.readers = self.readers, []
        for reader in readers:
            reader.flight = None
        return readers

    # --- the end ------------------------------------------------------------------------------------------------

    cdef int _store(self) except -1:
        cdef Stored stored = self.arriving
        stored.body = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        stored.length = self.size
        if self.exchange._purged(stored) == HARD:
            return 0        # in its place may already be what was asked for after the purge
        return self.flights.keep(self.exchange.key, stored)

    cdef int _end(self, str error) except -1:
        if self.state == OVER:
            return 0
        self.state = OVER
        self.storing = False
        self.flights.forget(self)
        if self.flights.observer is not None and self.fetch is not None:
            self.flights.observer.fetched(self.fetch, error)
        return 0


@cython.final
cdef class Flights:
    """The flights of a worker, by key; and the keys whose last answer was not for sharing: nobody waits for those."""

    def __init__(self, MemoryStore store, *, report, Observer observer=None, long long body_max):
        self.store = store
        self.report = report
        self.observer = observer
        self.body_max = body_max
        self.by_key = {}
        self.unshared = {}

    def abandon(self):
        """The worker ends: fetches that nobody waits for end too."""
        cdef Flight flight
        for flights in list(self.by_key.values()):
            for flight in list(flights):
                flight.abandon()

    def __len__(self):
        return sum(map(len, self.by_key.values()))

    cdef Flight find(self, Exchange exchange):
        """A flight that may answer this exchange too, or None."""
        cdef Flight flight
        for flight in self.by_key.get(exchange.key, ()):
            if flight.is_open and flight.takes(exchange) and flight.is_fresh_for(exchange):
                return flight
        return None

    cdef Flight begin(self, Exchange exchange, bint is_open):
        """Nobody joins one that is not open."""
        cdef Flight flight = Flight.__new__(Flight)
        flight.flights = self
        flight.is_open = is_open
        flight.exchange = exchange
        flight.validated = exchange.stored
        flight.readers = []
        flight.pieces = []
        self.by_key.setdefault(exchange.key, []).append(flight)
        return flight

    cdef str unshared_reason(self, bytes key, long long now_us):
        """Why the last answer was not for sharing, as long as that is remembered; else None."""
        cdef object found = self.unshared.get(key)
        if found is None:
            return None
        until, reason = found
        if now_us < until:
            return reason
        del self.unshared[key]
        return None

    cdef int not_shared(self, bytes key, str reason, long long now_us) except -1:
        if len(self.unshared) >= UNSHARED_MAX:
            del self.unshared[next(iter(self.unshared))]
        self.unshared[key] = (now_us + UNSHARED_US, reason)
        return 0

    cdef int keep(self, bytes key, Stored stored) except -1:
        self.unshared.pop(key, None)
        if self.store.keep(stored) and self.observer is not None:
            self.observer.stored()
        return 0

    cdef int drop(self, Stored stored) except -1:
        if stored is not None:
            self.store.drop(stored)
        return 0

    cdef int forget(self, Flight flight) except -1:
        """Nobody joins it any more."""
        cdef list flights = self.by_key.get(flight.exchange.key)
        if flights is not None and flight in flights:
            flights.remove(flight)
            if not flights:
                del self.by_key[flight.exchange.key]
        return 0
