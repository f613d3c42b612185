from fastedge._core.message cimport Context, Request, Response
from fastedge._core.personalstage cimport PersonalStage
from fastedge._core.slotvalues cimport UrlSource
from fastedge._core.stored cimport Stored
from fastedge.html.pages cimport Page, Pages


cdef class Asked:
    """One URL that a page waits for."""
    cdef readonly bytes target          # origin-form
    cdef readonly int wait_ms
    cdef readonly Py_ssize_t bytes_max  # of its content
    cdef public bytes content           # once it has come
    cdef public Stored stored           # which the content is the body of, or None
    cdef public str problem             # why it has not come: one of PROBLEMS
    cdef list errors                    # of (name, reason), inside of the content; or None
    cdef int number                     # of the value
    cdef bint is_alternative


cdef class PageReply:
    """One visitor's page."""
    cdef readonly list asked            # of Asked, while they are waited for; else None
    cdef readonly list failures         # exceptions of a policy's functions, for the error log; or None
    cdef readonly bint is_made          # else the response goes out as it is
    cdef readonly bytes lines           # field lines of the reply beside those of `response`
    cdef Pages pages
    cdef PersonalStage personal
    cdef Request request
    cdef Context ctx
    cdef Response response
    cdef Page page
    cdef list values
    cdef list errors                    # of (name, reason), or None

    cdef bint is_compiled(self) except -1
    cdef bint _is_file(self) noexcept
    cdef bint begin(self, object body) except -1        # whether the reply is ready; else `asked` says what it waits for
    cdef bint gathered(self) except -1                  # likewise, once each of `asked` has its content or its problem
    cdef int without_body(self) except -1               # of a HEAD that the origin has answered
    cdef int left_alone(self, str reason) except -1     # the response goes out as it is
    cdef object _value(self, Py_ssize_t number)
    cdef bint _is_ready(self) except -1
    cdef int _raised(self, Py_ssize_t number, object error) except -1
    cdef bytes _url(self, Py_ssize_t number, bint alternative)
    cdef int _ask(self, Py_ssize_t number, bytes url, bint is_alternative) except -1
    cdef int _take(self, Asked asked) except -1
    cdef int _instead(self, Py_ssize_t number, bint is_alternative, str reason, bytes target=*) except -1
    cdef int _tell_problems(self) except -1
    cdef int _failed(self, Py_ssize_t number, str reason, bytes target=*) except -1
    cdef int _note(self, str name, str reason) except -1
    cdef int _finish(self) except -1
    cdef object _rendered(self, bint gzip)
    cdef object _joined(self, bint gzip, list refused)
    cdef int _head(self) except -1


cdef PageReply page_reply(Pages pages, PersonalStage personal, Request request, Context ctx, Response response)
