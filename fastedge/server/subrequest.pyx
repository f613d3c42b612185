"""What a page asks for while its visitor waits: each URL is an exchange of its own, with no client behind it.

It goes the whole way that a client's request goes, and shares the store and the flights. Its content is bounded, and its time;
who gives up leaves a flight to the others and to the store.
"""

cimport cython

from functools import partial

from fastedge._core.body cimport Framing
from fastedge._core.fields cimport CONTENT_ENCODING, FieldName, Fields, known
from fastedge._core.message cimport Request, Response
from fastedge._core.storedhead cimport head_value
from fastedge.clock cimport monotonic_us
from fastedge.html.pages cimport field_value
from fastedge.server.collected cimport Collected, collected
from fastedge.limits import fragment_wait_spans_ms, html_bytes_max
from fastedge.semantics.codings import decoded

cdef enum TimeOut:
    DEADLINE
    PATIENCE

cdef FieldName _CONTENT_ENCODING = known(CONTENT_ENCODING)
cdef long long PAGE_MAX = html_bytes_max
cdef tuple SPANS_MS = fragment_wait_spans_ms


@cython.final
cdef class Gathering:
    cdef int start(self, Asking asking) except -1:
        cdef Asked asked
        cdef Subrequest subrequest
        self.asking = asking
        self.waiting = []
        self.is_starting = True
        for asked in asking.exchange.page.asked:
            if asked.problem is None:
                subrequest = Subrequest.__new__(Subrequest)
                subrequest.parent, subrequest.asked, subrequest.owner = asking, asked, self
                self.waiting.append(subrequest)
                subrequest.start()
        self.is_starting = False
        return 0 if self.waiting else self._finish()

    cdef int cancel(self) except -1:
        """Nobody waits for the page any more."""
        cdef Subrequest subrequest
        self.asking = None
        waiting, self.waiting = self.waiting, []
        for subrequest in waiting:
            subrequest.cancel()
        return 0

    cdef int _ended(self, Subrequest subrequest) except -1:
        cdef Asking asking = self.asking
        if asking is None:
            return 0
        self.waiting.remove(subrequest)
        if self.waiting or self.is_starting:
            return 0
        self._finish()
        return asking._go_on()

    cdef int _finish(self) except -1:
        cdef Asking asking = self.asking
        self.asking = None
        return asking._act(asking.exchange.gathered())


@cython.final
cdef class Subrequest(Asking):
    """One URL's exchange, inside of its parent's. `asked` gets the content or the problem before the owner hears of the end."""

    cdef int start(self) except -1:
        cdef Asking parent = self.parent
        self.front, self.pools, self.nominated = parent.front, parent.pools, parent.nominated
        self.exchange = parent.exchange.inside(self.asked.target)
        self.started_us = monotonic_us()
        self._act(self.exchange.start())
        if self.exchange is not None:
            self.deadline = Timer(self)
            self.deadline.arm(self.front.timers.queue(span_ms(self.asked.wait_ms)), DEADLINE, self.started_us)
        return 0

    cdef int cancel(self) except -1:
        return self._end("canceled")

    def on_timeout(self, int kind):
        if kind == PATIENCE:
            self.on_released("collapse_timeout")
        else:
            self._end("timeout" if self.problem is None else self.problem)

    # --- who asks -----------------------------------------------------------------------------------------------

    cdef bytes _forwarded(self, Request request):
        return self.parent._forwarded(request)

    cdef bytes _forwarded_for(self, Request request):
        return self.parent._forwarded_for(request)

    cdef int _be_patient(self) except -1:
        if self.patience is None:
            self.patience = Timer(self)
        return self.patience.arm(self.front.patience_queue, PATIENCE, monotonic_us())

    cdef int _patient_no_more(self) except -1:
        return 0 if self.patience is None else self.patience.disarm()

    # --- what is answered ---------------------------------------------------------------------------------------

    cdef int _send_hit(self) except -1:
        cdef Stored stored = self.exchange.stored
        if stored.status != 200 or type(stored.body) is not bytes:
            return self._act(self.exchange.whole())
        return self._take(<bytes> stored.body, stored, head_value(stored.head, _CONTENT_ENCODING))

    cdef int _reply(self) except -1:
        cdef Exchange exchange = self.exchange
        cdef object content = exchange.response.content
        self._drop_fetch()
        if exchange.response.code != 200:
            # A failure on the way to the origin is an answer of the edge's own.
            return self._end("status" if exchange.error is None or exchange.failure is not None else "origin_error")
        if type(content) is DiskBody:
            return self._read(<DiskBody> content)
        return self._take_whole(b"".join(content) if type(content) is tuple else <bytes> content)

    cdef int _gather(self) except -1:
        self.gathering = Gathering.__new__(Gathering)
        return self.gathering.start(self)

    cdef int _go_on(self) except -1:
        return 0        # nothing waits behind it

    cdef int _read(self, DiskBody body) except -1:
        if body.length > self._bytes_max():
            return self._end("too_large")
        self.file = FileReader(body, partial(self._is_read, self.exchange))
        return self.file.start()

    def _is_read(self, Exchange exchange, content):
        if self.exchange is not exchange:
            return
        if content is not None:
            self._take_whole(<bytes> content)
        else:
            self.front.store.drop(exchange.response.stored)
            self._act(exchange.look())

    cdef int _take_whole(self, bytes content) except -1:
        """All of the response's body; a page is made of it first, where its visitor gets one of their own."""
        cdef Response response = self.exchange.response
        if self.exchange.collects:
            return self._act(self.exchange.collected(content))
        return self._take(content, response.stored, field_value(response, _CONTENT_ENCODING))

    cdef int _take(self, bytes content, Stored stored, bytes codings) except -1:
        if codings is not None:
            content = decoded(content, codings, self.asked.bytes_max)
            if content is None:
                return self._end("encoding")
        if len(content) > self.asked.bytes_max:
            return self._end("too_large")
        self.asked.content = content
        self.asked.errors = None if self.exchange.page is None else self.exchange.page.errors
        self.asked.stored = stored if stored is not None and content is stored.body else None
        return self._end(None)

    cdef long long _bytes_max(self) noexcept:
        return PAGE_MAX if self.exchange.collects else self.asked.bytes_max

    # --- what arrives -------------------------------------------------------------------------------------------

    cdef int _stream(self, list nominated, Framing framing, long long length) except -1:
        cdef Exchange exchange = self.exchange
        # The body of an answer that will not do is read for the sake of the origin's connection.
        self.problem = None if exchange.response.code == 200 else "status"
        self.body = collected(self.front, self._bytes_max())
        return 0 if self.body.expects(length) else self._end_early()

    cdef int on_body(self, bytes data) except -1:
        return 0 if self.body.add(data, self.reader) else self._end_early()

    cdef int _end_early(self) except -1:
        return self._end(self.body.objection if self.problem is None else self.problem)

    cdef int on_end(self, Fields trailers) except -1:
        cdef Stored stored = self.exchange.response.stored
        cdef object content = None if stored is None else stored.body
        self._source_ended()
        if self.problem is not None:
            return self._end(self.problem)
        if type(content) is not bytes:      # it is stored nowhere, or on the disk alone
            content = self.body.whole()
        self.body = None
        return self._take_whole(<bytes> content)

    cdef int on_failure(self, int status, str error) except -1:
        self._source_ended()
        self.error = error
        if self.body is not None:       # it broke off
            return self._end("origin_error" if self.problem is None else self.problem)
        return self._act(self.exchange.failed(status, error))

    # --- the end ------------------------------------------------------------------------------------------------

    cdef int _end(self, str problem) except -1:
        if self.exchange is None:
            return 0
        self.exchange = None
        self.asked.problem = problem
        self._let_go()
        if self.last_fetch is not None and not self.last_fetch.is_shared and self.front.observer is not None:
            self.front.observer.fetched(self.last_fetch, self.error)
        return self.owner._ended(self)

    cdef int _let_go(self) except -1:
        """Of all that could call, and of what has come."""
        if self.deadline is not None:
            self.deadline.disarm()
            self.deadline.owner = None
        if self.patience is not None:
            self.patience.disarm()
            self.patience.owner = None
        self._drop_fetch()
        if self.file is not None:
            self.file.cancel()
            self.file = None
        if self.gathering is not None:
            self.gathering.cancel()
            self.gathering = None
        self.body = None
        return 0


cdef long long span_ms(int wait_ms) except -1:
    """The nearest of a few spans that is not shorter: each has a queue of its own."""
    for span in SPANS_MS:
        if wait_ms <= span:
            return span
    return SPANS_MS[len(SPANS_MS) - 1]
