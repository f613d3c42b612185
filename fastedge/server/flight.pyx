"""A flight: one fetch for all who ask for the same at the same time, streamed to them as it arrives, and into the store.

Never gives one client what was meant for another: what proves not to be for sharing goes to the one who asked first, and
the others are sent on their own way at once. What ends too early is not stored.
"""

cimport cython

from errno import ETIMEDOUT
from functools import partial

from fastedge._core.body cimport LENGTH, Framing
from fastedge._core.fields cimport ETAG, LAST_MODIFIED, VARY, FieldName, Fields, known
from fastedge._core.message cimport STREAM, Response, make_response
from fastedge._core.purges cimport HARD
from fastedge._core.stored cimport Stored, age_s
from fastedge._core.storedhead cimport fields_of, head_value
from fastedge._core.unkeyed cimport unkeyed_reads
from fastedge.caching.reuse cimport VALIDATE, use_of
from fastedge.caching.storing cimport Assessment, assess, said_of_sharing
from fastedge.caching.validation cimport freshened, selects
from fastedge.caching.vary cimport matches, selection
from fastedge.clock cimport monotonic_us, steady_us, wall_seconds
from fastedge.disk.follow import End
from fastedge.engine cimport Exchange
from fastedge.errors import StageError
from fastedge.limits import cache_unkeyed_reported_max, cache_window_bytes_max, disk_write_patience_ms
from fastedge.origin.fetch cimport FetchListener
from fastedge.server.observer cimport Observer
from fastedge.server.sharing cimport Unshared, is_a_clients_own, is_reason_for
from fastedge.server.tiers cimport Tiers

cdef FieldName _ETAG = known(ETAG)
cdef FieldName _LAST_MODIFIED = known(LAST_MODIFIED)
cdef FieldName _VARY = known(VARY)
cdef Py_ssize_t REPORTED_MAX = cache_unkeyed_reported_max
cdef long long WINDOW = cache_window_bytes_max
cdef object DISK_PATIENCE_S = disk_write_patience_ms / 1000
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
        if known is None and exchange.selection is not None and self.exchange.selection is not None:
            return exchange.selection == self.exchange.selection
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
        return not exchange.came_after_purge(stored, self.exchange.born if self.follow is None else stored.born)

    cdef bint is_kept(self) noexcept:
        """Whether it goes on without anyone who waits."""
        return self.state == ASKING or self.storing or self.writer is not None

    cdef int abandon(self) except -1:
        """The worker ends."""
        if not self.readers:
            self._stop_source()
        return self._end(None)

    cdef int _leave(self, Reader reader) except -1:
        reader.flight = None
        self.readers.remove(reader)
        self._stop_if_unwanted()
        self._keep_no_more()
        if self.fetch_paused:
            self._trim()
        return 0

    cdef int _stop_if_unwanted(self) except -1:
        if not self.readers and not self.is_kept() and self.state != OVER:
            self._stop_source()
            self._end(None)
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
            return self._break(self.exchange.failure)
        if not response.is_stream():
            framing, length = LENGTH, len(response.content)
        assessment = self._assess(response, nominated)
        if assessment.reason is None and length > self.flights.tiers.stored_bytes_max():
            self._keep_to_one("too_large", response, nominated, framing, length)
        elif assessment.reason is not None:
            self._keep_to_one(assessment.reason, response, nominated, framing, length)
        elif self.exchange.ctx.unkeyed is not None and self.flights.objects_to(self.exchange, response.fields):
            return self._break(self.flights.objection)
        else:
            self._share(assessment, response, nominated, length)
        if self.state != OVER and not response.is_stream():
            self._stop_source()     # a hook has put a body of its own in its place
            self.on_body(response.content)
            self.on_end(None)
        return 0

    cdef int _break(self, object failure) except -1:
        """A hook has failed: for all who wait."""
        cdef Reader reader
        self.flights.report(failure)
        self._stop_source()
        self._end("stage_error")
        for reader in self._take_readers():
            reader.listener.on_broken(failure)
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
        self.storing = length <= self.flights.tiers.body_max
        self._begin_writing()
        for reader in list(self.readers):
            self._begin(reader)
        return 0

    cdef int _begin_writing(self) except -1:
        """On its way to the disk too, where other workers read along."""
        claim, self.claim = self.claim, None
        if claim is not None:
            self.writer = claim.begin(self.arriving)
        elif self.flights.tiers.disk is not None and self.follow is None:
            self.writer = self.flights.tiers.disk.begin(self.arriving)
        return 0

    cdef int _keep_to_one(self, str reason, Response response, list nominated, Framing framing, long long length) except -1:
        cdef Reader reader
        cdef Reader one = None
        self.flights.forget(self)
        if response.code not in FAILURES or self.validated is None:
            self.flights.unshared.remember(
                self.exchange.key, reason, steady_us(monotonic_us()), said_of_sharing(response.code, response.fields)
            )
            if not is_a_clients_own(reason):
                self.flights.tiers.drop(self.validated)
        self._unclaim(is_a_clients_own(reason))
        self.exchange.ctx.cache_reason = reason
        for reader in list(self.readers):
            if reader.exchange is self.exchange and not reader.exchange.asks_for_less():
                one = reader
            else:
                self._release(reader, reason if is_reason_for(reason, reader.exchange) else None)
        if one is None:
            self._stop_source()
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
            return self._break(self.exchange.failure)
        if not response.is_stream():
            return self._ask_anew()     # a hook has put a body of its own in its place: let it see the whole answer
        assessment = self._assess(response, None)
        fresh = self.exchange.stored_of(
            assessment, response.code, response.fields, None, steady_us(monotonic_us()), wall_seconds()
        )
        fresh.body, fresh.length = self.validated.body, self.validated.length
        self.exchange.ctx.cache_reason = assessment.reason
        if assessment.reason is None:
            self.flights.tiers.freshen(self.validated, fresh)
        elif not is_a_clients_own(assessment.reason):
            self.flights.tiers.drop(self.validated)
        self._end(None)
        for reader in self._take_readers():
            if reader.exchange is self.exchange or (assessment.reason is None and self._answers(fresh, reader.exchange)):
                reader.listener.on_stored(fresh, "REVALIDATED", 304)
            else:
                reader.listener.on_released(assessment.reason if is_reason_for(assessment.reason, reader.exchange) else None)
        return 0

    cdef int _ask_anew(self) except -1:
        """The 304 is of no use: each asks for all of it."""
        cdef Reader reader
        self.flights.tiers.drop(self.validated)
        self._end(None)
        for reader in self._take_readers():
            reader.listener.on_released("validation")
        return 0

    cdef int _stand_in(self, int status) except -1:
        """The origin fails: what is stored stands in, for those who take it."""
        cdef Reader reader
        self._stop_source()
        self._end(None)
        for reader in self._take_readers():
            if reader.exchange.may_stand_in(self.validated) and self._answers(self.validated, reader.exchange):
                reader.listener.on_stored(self.validated, "STALE", status)
            else:
                reader.listener.on_released("origin_error")
        return 0

    cdef int on_body(self, bytes data) except -1:
        cdef Reader reader
        self.pieces.append(data)
        self.size += len(data)
        self.held += len(data)
        if self.storing:
            self.flights.tiers.arriving += len(data)
        if self.writer is not None:
            self._write(data)
        if self.storing and (
            self.size > self.flights.tiers.body_max or self.flights.tiers.arriving > self.flights.tiers.arriving_max
        ):
            self._stop_storing()
            self.flights.forget(self)
            if self.size > self.flights.tiers.body_max and self.writer is None and self.follow is None:
                self.flights.unshared.remember(self.exchange.key, "too_large", steady_us(monotonic_us()), None)
        for reader in list(self.readers):
            self._deliver(reader)
        self._stop_if_unwanted()
        return self._trim()

    cdef int on_flush(self) except -1:
        cdef Reader reader
        for reader in list(self.readers):
            reader.listener.on_flush()
        return 0

    cdef int on_end(self, Fields trailers) except -1:
        cdef Reader reader
        self.trailers = trailers
        if self.arriving is not None and (self.storing or self.writer is not None):
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

    # --- what another worker's fetch says, by way of the disk ---------------------------------------------------------

    def followed_head(self, Stored stored):
        """The head of what another worker stores."""
        cdef Reader reader
        self.arriving = stored
        self.state = SHARED
        self.storing = stored.length <= self.flights.tiers.body_max
        for reader in list(self.readers):
            self._begin(reader)

    def followed_data(self, bytes data):
        if self.state == SHARED:
            self.on_body(data)
            self.on_flush()

    def followed_end(self, end):
        """All of it; or each goes on alone, or asks again who fetches it now."""
        cdef Reader reader
        if self.state == OVER:
            return
        if end is End.FINISHED:
            self.on_end(None)
        elif self.state == SHARED:
            self.on_failure(502, "http_response_incomplete")
        else:
            if end is End.UNSHAREABLE:
                self.flights.unshared.remember(self.exchange.key, "unshared", steady_us(monotonic_us()), None)
            self._end(None)
            for reader in self._take_readers():
                reader.listener.on_released("unshared" if end is End.UNSHAREABLE else None)

    # --- readers ------------------------------------------------------------------------------------------------

    cdef int _begin(self, Reader reader) except -1:
        """The head is there; a request that another variant answers goes its own way."""
        if not self.takes(reader.exchange):
            reader.exchange.apart = True
            reader.exchange.selection = selection(self.arriving.vary, reader.exchange.request, reader.exchange.ctx.plan)
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
            return 0        # what goes to the memory tier stays whole
        for reader in self.readers:
            needed = min(needed, reader.position)
        while self.first < needed:
            self.held -= len(<bytes> self.pieces.pop(0))
            self.first += 1
        return self._throttle()

    cdef int _throttle(self) except -1:
        """Holds the origin back while a reader or the disk is slower."""
        cdef bint is_too_fast = self.waits_for_disk or (self.held > WINDOW and not self.storing)
        if self.state == OVER or self.fetch_paused == is_too_fast:
            return 0
        self.fetch_paused = is_too_fast
        if self.follow is not None:
            (self.follow.pause if is_too_fast else self.follow.resume)()
        elif is_too_fast:
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

    cdef int _write(self, bytes data) except -1:
        if not self.writer.write(data):
            self.writer = None
        elif self.writer.is_full and not self.waits_for_disk:
            self.waits_for_disk = True
            self.writer.on_drained = self._disk_took
            self.disk_patience = self.flights.tiers.disk.loop.call_later(DISK_PATIENCE_S, self._disk_is_slow)
            self._throttle()
        return 0

    def _disk_took(self):
        self.waits_for_disk = False
        self.disk_patience.cancel()
        self._throttle()

    def _disk_is_slow(self):
        """Clients do not wait for a disk that cannot keep up."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.abort(unshareable=True)
            self.flights.tiers.disk.failed(OSError(ETIMEDOUT, "it is too slow"))
            self._disk_took()
            self._stop_if_unwanted()

    cdef int _store(self) except -1:
        """It is whole: into the memory tier, and to its place on the disk."""
        cdef Stored stored = self.arriving
        stored.length = self.size
        if self.storing and self.exchange._purged(stored) != HARD:     # else what was asked for since may be in its place
            stored.body = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
            self.flights.tiers.keep(stored)
        if self.writer is not None:     # purged or not: others read along, and whoever loads it looks at its purges
            writer, self.writer = self.writer, None
            writer.finish(stored, None if self.storing else partial(self.flights.tiers.kept_on_disk, stored))
        return 0

    cdef int _stop_storing(self) noexcept:
        if self.storing:
            self.storing = False
            self.flights.tiers.arriving -= self.size
        return 0

    cdef int _keep_no_more(self) noexcept:
        """What all have read goes at once, and not when the flight does."""
        if self.state == OVER and not self.readers:
            self.pieces = []
        return 0

    cdef int _stop_source(self) except -1:
        """Nobody wants what still comes."""
        if self.fetch is not None:
            self.fetch.cancel()
        if self.follow is not None:
            self.follow.cancel()
        return 0

    cdef int _unclaim(self, bint is_shareable) except -1:
        """Other workers need not wait for this fetch."""
        claim, self.claim = self.claim, None
        if claim is not None:
            claim.release(unshareable=not is_shareable)
        return 0

    cdef int _end(self, str error) except -1:
        if self.state == OVER:
            return 0
        self.state = OVER
        self._stop_storing()
        self._keep_no_more()
        self._unclaim(True)
        if self.writer is not None:
            self.writer.abort()
            self.writer = None
        self.flights.forget(self)
        if self.flights.observer is not None and self.fetch is not None:
            self.flights.observer.fetched(self.fetch, error)
        return 0


@cython.final
cdef class Flights:
    """The flights of a worker, by key, and what they share."""

    def __init__(self, Tiers tiers not None, *, report, Observer observer=None):
        self.tiers = tiers
        self.report = report
        self.observer = observer
        self.by_key = {}
        self.unshared = Unshared()
        self.unkeyed = "report"
        self.reported = set()

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
            if flight.takes(exchange) and flight.is_fresh_for(exchange):
                return flight
        return None

    cdef Flight begin(self, Exchange exchange):
        cdef Flight flight = Flight.__new__(Flight)
        flight.flights = self
        flight.exchange = exchange
        flight.validated = exchange.stored
        flight.readers = []
        flight.pieces = []
        self.by_key.setdefault(exchange.key, []).append(flight)
        return flight

    cdef int forget(self, Flight flight) except -1:
        """Nobody joins it any more."""
        cdef list flights = self.by_key.get(flight.exchange.key)
        if flights is not None and flight in flights:
            flights.remove(flight)
            if not flights:
                del self.by_key[flight.exchange.key]
        return 0

    cdef bint objects_to(self, Exchange exchange, Fields fields) except -1:
        """Whether what custom hooks have read and let decide outside the key forbids to store (`[cache] unkeyed`); else
        it is reported once, as far as that can be remembered."""
        if self.unkeyed == "ignore":
            return False
        for stage, what in unkeyed_reads(exchange.ctx, exchange.ctx.plan, fields.combined(_VARY)):
            self.objection = StageError(f"{stage} reads {what} outside the key: what it decides for one is stored for all")
            if self.unkeyed == "error":
                return True
            if (stage, what) not in self.reported and len(self.reported) < REPORTED_MAX:
                self.reported.add((stage, what))
                self.report(self.objection)
        return False
