from fastedge._core.body cimport Framing
from fastedge._core.fields cimport Fields
from fastedge._core.message cimport Request, Response
from fastedge._core.stored cimport Stored
from fastedge.engine cimport Exchange
from fastedge.origin.fetch cimport Fetch, FetchListener
from fastedge.server.flight cimport Flight, FlightListener, Reader
from fastedge.server.front cimport Front


cdef class Asking(FlightListener):
    cdef Front front
    cdef dict pools                 # which a reload must not change under an exchange
    cdef Exchange exchange          # None: nothing is asked, or nobody wants the answer
    cdef Fetch fetch
    cdef Fetch last_fetch           # the one that has ended, for the log
    cdef Reader reader              # its place in a fetch that it shares
    cdef readonly long long started_us
    # what the client's head says of its body and its connection, for the origin
    cdef bint reading_body
    cdef bint expects_continue
    cdef bint accepts_trailers
    cdef bytes upgrade
    cdef list nominated

    # What becomes of the answer, and who asks.
    cdef int _reply(self) except -1                     # `exchange.response`, there as a whole
    cdef int _send_hit(self) except -1                  # `exchange.stored`, as it is
    cdef int _stream(self, list nominated, Framing framing, long long length) except -1     # a head; on_body and on_end follow
    cdef int _gather(self) except -1                    # have all of `exchange.page.asked` answered, then `exchange.gathered()`
    cdef int _go_on(self) except -1                     # a step was taken outside of `_start`
    cdef Framing _body_framing(self, long long* length) noexcept     # of the request's; as a rule it has none
    cdef bytes _forwarded(self, Request request)
    cdef bytes _forwarded_for(self, Request request)
    cdef int _be_patient(self) except -1                # until `on_released("collapse_timeout")`
    cdef int _patient_no_more(self) except -1

    cdef int _act(self, int step) except -1
    cdef int _start_fetch(self) except -1
    cdef Fetch _fetch_for(self, Exchange exchange, FetchListener listener, bint is_shared)
    cdef int _share(self) except -1
    cdef int _join(self, Flight flight) except -1
    cdef int _refresh(self, Exchange exchange) except -1
    cdef int _go_on_with(self, int step, list nominated, Framing framing, long long length) except -1
    cdef int _drop_fetch(self) except -1
    cdef int _leave_flight(self) except -1
    cdef int _source_ended(self) except -1
