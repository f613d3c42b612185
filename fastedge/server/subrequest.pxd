from fastedge._core.stored cimport Stored
from fastedge.disk.body cimport DiskBody
from fastedge.engine cimport Exchange
from fastedge.html.reply cimport Asked
from fastedge.server.asking cimport Asking
from fastedge.server.collected cimport Collected
from fastedge.server.filereader cimport FileReader
from fastedge.server.timers cimport Timer


cdef class Gathering:
    """Has everything answered that `asking.exchange.page.asked` names, then takes the next step: maybe before `start` returns."""
    cdef Asking asking          # None: all is there, or nobody wants it
    cdef list waiting           # Subrequests
    cdef bint is_starting

    cdef int start(self, Asking asking) except -1
    cdef int cancel(self) except -1
    cdef int _ended(self, Subrequest subrequest) except -1
    cdef int _finish(self) except -1


cdef class Subrequest(Asking):
    cdef Asking parent
    cdef Asked asked
    cdef Gathering owner
    cdef Gathering gathering    # of its own page
    cdef FileReader file
    cdef Timer deadline
    cdef Timer patience
    cdef Collected body         # that is arriving; else None
    cdef str problem            # why the body that is arriving will not do
    cdef str error              # of the last fetch

    cdef int start(self) except -1
    cdef int cancel(self) except -1
    cdef int _read(self, DiskBody body) except -1
    cdef int _take_whole(self, bytes content) except -1
    cdef int _take(self, bytes content, Stored stored, bytes codings) except -1
    cdef long long _bytes_max(self) noexcept
    cdef int _end_early(self) except -1
    cdef int _end(self, str problem) except -1
    cdef int _let_go(self) except -1
