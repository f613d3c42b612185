from libc.stdint cimport uint64_t

from fastedge._core.fields cimport FieldName
from fastedge._core.message cimport Response
from fastedge._core.personalstage cimport PersonalStage
from fastedge._core.stitch cimport Fragment
from fastedge._core.stored cimport Stored
from fastedge._core.template cimport Template


cdef class Page:
    """A page, compiled for one policy."""
    cdef readonly Template template     # None: the page is left alone
    cdef readonly str problem           # why
    cdef readonly tuple sources         # ValueSource of each of the template's inputs
    cdef readonly tuple names           # of each, for messages
    cdef readonly bint asks             # whether one of them is a URL
    cdef readonly bytes vary            # names beside Accept-Encoding, or None
    cdef readonly tuple fallbacks       # of each, bytes; None: the page's own content
    cdef bytes tag                      # of the page and the rules about it, 16 hexadecimal digits
    cdef bint is_told                   # what was left alone of it, to the log
    cdef bytes coding                   # Content-Encoding and Content-Type that it was compiled under
    cdef bytes content_type
    cdef Entry entry                    # None: it is in no table
    cdef Stored stored                  # whose head was last made a personal one
    cdef Stored personal                # the same with that head

    cdef bytes etag_line(self, uint64_t values, bint gzip)


cdef class Entry:
    """Of the table: what was made of a body for a policy. It holds both, so that no other object has their addresses."""
    cdef object key
    cdef object body
    cdef PersonalStage personal         # None: it is a fragment
    cdef object made                    # a Page or a Fragment
    cdef Py_ssize_t cost_bytes
    cdef bint is_used                   # since its eviction was last put off


cdef class Pages:
    cdef object table                   # key → Entry
    cdef readonly Py_ssize_t bytes_max
    cdef readonly Py_ssize_t bytes_used

    cdef Page find(self, object body, Response response, PersonalStage personal)
    cdef Page page_of(self, object body, bytes content, Response response, PersonalStage personal)
    cdef Fragment fragment_of(self, bytes body)
    cdef int compress(self, Page page) except -1
    cdef Entry _find(self, object body, PersonalStage personal)
    cdef Entry _keep(self, object body, PersonalStage personal, object made, Py_ssize_t cost_bytes)
    cdef int _make_room(self, Py_ssize_t more_bytes) except -1
    cdef int _drop(self, Entry entry) except -1


cdef str ESI_INCLUDE     # in place of a slot's name: no slot can have it

cdef bytes field_value(Response response, FieldName name)
cdef bint is_page(Response response) except -1
cdef bint is_stored_page(Stored stored) except -1
