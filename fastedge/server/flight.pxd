from fastedge._core.body cimport Framing
from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Response
from fastedge._core.stored cimport Stored
from fastedge.caching.storing cimport Assessment
from fastedge.engine cimport Exchange
from fastedge.origin.fetch cimport Fetch, FetchListener
from fastedge.server.observer cimport Observer
from fastedge.server.sharing cimport Unshared
from fastedge.server.tiers cimport Tiers


cdef class FlightListener(FetchListener):
    """Who is served by a flight: hears one of these, and behind the first two what a fetch says of a body."""
    cdef int on_shared_head(self, Stored arriving) except -1        # it is being stored, or could be: for all who asked
    cdef int on_own_head(self, Response response, list nominated, Framing framing, long long length) except -1
    cdef int on_stored(self, Stored stored, str outcome, int origin_status) except -1  # whole, from the store
    cdef int on_broken(self, object failure) except -1              # a hook has failed
    cdef int on_released(self, str reason) except -1                # ask alone; reason None: look again


cdef class Reader:
    """One listener's place in a flight."""
    cdef Flight flight
    cdef FlightListener listener
    cdef readonly Exchange exchange
    cdef Py_ssize_t position    # of the piece that it gets next
    cdef bint paused
    cdef Fetch fetch            # of the one for whom the origin was asked: for its log line
    cdef long long skip         # bytes of the body before its part
    cdef long long left         # bytes of its part; -1: up to the end

    cdef int pause(self) except -1
    cdef int resume(self) except -1
    cdef int cancel(self) except -1
    cdef bytes _part_of(self, bytes piece)


cdef enum State:
    ASKING      # the head has not come
    SHARED      # it streams to all who ask for it
    PRIVATE     # it streams to the one who asked first
    OVER


cdef class Flight(FetchListener):
    cdef Flights flights
    cdef readonly Exchange exchange
    cdef Fetch fetch
    cdef Stored validated
    cdef Stored arriving
    cdef object claim           # on the disk tier: this fetch is the one of all workers; or None
    cdef object follow          # on the disk tier: the place of a fetch is taken by another worker's
    cdef object writer          # into the disk tier, or None
    cdef bint storing           # every piece is kept, for the memory tier
    cdef State state
    cdef list readers
    cdef list pieces
    cdef Py_ssize_t first       # position of pieces[0]
    cdef long long size         # of the body so far
    cdef long long held         # bytes in `pieces`
    cdef bint waits_for_disk
    cdef object disk_patience   # ends it, if it lasts
    cdef bint fetch_paused
    cdef Fields trailers

    cdef Reader join(self, FlightListener listener, Exchange exchange)
    cdef int catch_up(self, Reader reader) except -1
    cdef bint takes(self, Exchange exchange) except -1
    cdef bint is_kept(self) noexcept
    cdef bint is_fresh_for(self, Exchange exchange) except -1
    cdef bint _answers(self, Stored stored, Exchange exchange) except -1
    cdef int _stop_if_unwanted(self) except -1
    cdef int _stop_storing(self) noexcept
    cdef int _keep_no_more(self) noexcept
    cdef int abandon(self) except -1
    cdef int _leave(self, Reader reader) except -1
    cdef int _answered(self, int status, Fields fields, list nominated, Framing framing, long long length) except -1
    cdef int _break(self, object failure) except -1
    cdef Assessment _assess(self, Response response, list nominated)
    cdef int _share(self, Assessment assessment, Response response, list nominated, long long length) except -1
    cdef int _keep_to_one(self, str reason, Response response, list nominated, Framing framing, long long length) except -1
    cdef int _not_modified(self, Fields fields) except -1
    cdef int _ask_anew(self) except -1
    cdef int _stand_in(self, int status) except -1
    cdef int _begin(self, Reader reader) except -1
    cdef int _release(self, Reader reader, str reason) except -1
    cdef int _deliver(self, Reader reader) except -1
    cdef int _finish(self, Reader reader) except -1
    cdef int _trim(self) except -1
    cdef int _throttle(self) except -1
    cdef int _begin_writing(self) except -1
    cdef int _write(self, bytes data) except -1
    cdef int _stop_source(self) except -1
    cdef int _unclaim(self, bint is_shareable) except -1
    cdef int _store(self) except -1
    cdef int _end(self, str error) except -1
    cdef list _take_readers(self)


cdef class Flights:
    cdef dict by_key            # key → list of Flight
    cdef readonly Tiers tiers
    cdef Unshared unshared
    cdef Observer observer
    cdef object report          # report(failure): a stage's error
    cdef public str unkeyed     # what becomes of unkeyed input: report, error or ignore
    cdef set reported           # (stage, what it read)
    cdef object objection

    cdef Flight find(self, Exchange exchange)
    cdef Flight begin(self, Exchange exchange)
    cdef int forget(self, Flight flight) except -1
    cdef bint objects_to(self, Exchange exchange, Fields fields) except -1
