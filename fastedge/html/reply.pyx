"""A page's reply to one visitor: the values, the body that they make of the page, and what HTTP says of it (RFC 9110, 9111).

The stored page stays shared. What a visitor gets of it is a representation of their own: private, with an ETag of its own, never in
parts. A value that cannot be had leaves the page's own content there, and is told in Edge-Error.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_AsTuple
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from urllib.parse import urljoin

from fastedge._core.codings cimport accepts_gzip
from fastedge._core.fields cimport CONTENT_TYPE, IF_NONE_MATCH, Fields, intern_text, known
from fastedge._core.key cimport hash_of, origin_of, url_of
from fastedge._core.slotvalues cimport ValueSource
from fastedge._core.stitch cimport Fragment
from fastedge._core.stored cimport refreshed
from fastedge._core.storedhead cimport fields_of, head_of
from fastedge._core.template cimport PENDING, Template
from fastedge._core.wire cimport check_target
from fastedge._core.wire import WireError
from fastedge.errors import StageError
from fastedge.limits import edge_error_name_bytes_max, edge_errors_max, esi_url_bytes_max, reply_pieces_max
from fastedge.html.pages cimport ESI_INCLUDE
from fastedge.html.personalhead cimport make_personal
from fastedge.semantics.validators cimport NOT_MODIFIED, evaluate

# Why a value is not there, or a page is left alone, as Edge-Error and the log say it.
REASONS = {
    "failed": "the policy's function raised, or returned what is no value",
    "refused": "the value is too long, or may not stand there: a URL that leads elsewhere",
    "url": "the URL is of another site, or no URL",
    "timeout": "the fragment did not come in time",
    "status": "the fragment's status is not 200",
    "too_large": "the fragment, or the page, is larger than its bound",
    "origin_error": "the fragment's origin cannot be reached, or broke off",
    "encoding": "the fragment or the page is in a content coding, or an encoding, that is not read",
    "loop": "the fragment is inside of itself, or too deep in others",
    "too_many": "the page asks for more fragments than the bound",
    "busy": "the edge is collecting as many pages and fragments as it may",
    "canceled": "the fragment's request was given up",
}

cdef tuple OF_THE_CONTENT = (known(CONTENT_TYPE), intern_text("content-language"))     # which a 304 has not
cdef enum:
    ETAG_AT = 6         # in a field line

cdef bytes GZIP_LINE = b"content-encoding: gzip\r\n"
cdef int PIECES_MAX = reply_pieces_max
cdef Py_ssize_t URL_MAX = esi_url_bytes_max
cdef Py_ssize_t ERRORS_MAX = edge_errors_max
cdef Py_ssize_t NAME_MAX = edge_error_name_bytes_max


@cython.final
cdef class Asked:
    pass


@cython.final
@cython.freelist(64)
@cython.no_gc               # nothing that it holds knows of it
cdef class PageReply:
    cdef bint begin(self, object body) except -1:
        """`body` is the whole body of the response: the stored one, where it was stored."""
        cdef Py_ssize_t number
        if type(body) is tuple:
            body = b"".join(body)
        if not self.is_compiled():
            self.page = self.pages.page_of(
                self.response.stored.body if self._is_file() else body, body, self.response, self.personal
            )
        self.response.content = body
        if self.page.template is None:
            self.left_alone(self.page.problem)
            return True
        if not self.page.is_told:
            self.page.is_told = True
            self._tell_problems()
        self.values = [None] * len(self.page.sources)
        for number in range(len(self.page.sources)):
            self.values[number] = self._value(number)
        return self._is_ready()

    cdef bint is_compiled(self) except -1:
        """Whether the page is there already, so that a body on the disk need not be read."""
        if self.page is None and self._is_file():
            self.page = self.pages.find(self.response.content, self.response, self.personal)
        return self.page is not None

    cdef bint _is_file(self) noexcept:
        cdef Response response = self.response
        return response.stored is not None and response.stored.body is response.content and type(response.content) is not bytes

    cdef int _tell_problems(self) except -1:
        """What of the page was left alone: to the log, once."""
        cdef list told = [f"{reason} {name}".strip() for reason, name, _ in self.page.template.problems]
        if told:
            self.ctx.note("personalize page", ", ".join(dict.fromkeys(told)))
        return 0

    cdef object _value(self, Py_ssize_t number):
        cdef ValueSource source = <ValueSource> self.page.sources[number]
        cdef object value
        if self.page.asks and isinstance(source, UrlSource):
            return PENDING
        try:
            value = source.value(self.request, self.ctx)
        except Exception as error:
            self._raised(number, error)
            value = None
        if value is None:
            return self.page.fallbacks[number]
        return (<str> value).encode("utf-8", "replace") if type(value) is str else value

    cdef int _raised(self, Py_ssize_t number, object error) except -1:
        if self.failures is None:
            self.failures = []
        self.failures.append(_told(self.page.names[number], error))
        return self._note(self.page.names[number], "failed")

    cdef bytes _url(self, Py_ssize_t number, bint alternative):
        cdef UrlSource source = <UrlSource> self.page.sources[number]
        try:
            return source.url(self.request, self.ctx, alternative)
        except Exception as error:
            self._raised(number, error)
            return None

    cdef bint _is_ready(self) except -1:
        """Finishes the reply, unless the page needs what has not been asked for."""
        cdef list needed
        cdef Py_ssize_t number
        self.asked = None
        if self.page.asks:
            needed = self.page.template.needed(self.values)
            while needed:
                self.asked = self.asked or []
                for number in needed:
                    self._ask(number, self._url(number, False), False)
                if self.asked:
                    return False
                needed = self.page.template.needed(self.values)
            self.asked = None
            self.values = [None if value is PENDING else value for value in self.values]
        self._finish()
        return True

    cdef int _ask(self, Py_ssize_t number, bytes url, bint is_alternative) except -1:
        cdef Asked asked
        cdef bytes target = None if url is None else target_of(url, self.request)
        if target is None:
            return self._instead(number, is_alternative, None if url is None else "url")
        asked = Asked.__new__(Asked)
        asked.target, asked.number, asked.is_alternative = target, <int> number, is_alternative
        asked.wait_ms = (<UrlSource> self.page.sources[number]).wait_ms or self.personal.wait_ms
        asked.bytes_max = self.personal.fragment_bytes_max
        self.asked.append(asked)
        return 0

    cdef bint gathered(self) except -1:
        cdef list before = self.asked
        cdef Asked asked
        self.asked = []
        for asked in before:
            self._take(asked)
        return False if self.asked else self._is_ready()

    cdef int _take(self, Asked asked) except -1:
        if asked.problem is None:
            self.values[asked.number] = asked.content if asked.stored is None else self.pages.fragment_of(asked.content)
            for name, reason in asked.errors or ():
                self._note(name, reason)
            return 0
        return self._instead(asked.number, asked.is_alternative, asked.problem, asked.target)

    cdef int _instead(self, Py_ssize_t number, bint is_alternative, str reason, bytes target=None) except -1:
        """The alternative is asked next, if there is one. No reason: it is told already, or there is no failure in it."""
        cdef bytes alternative = None if is_alternative else self._url(number, True)
        if alternative is not None:
            return self._ask(number, alternative, True)
        if reason is not None:
            return self._failed(number, reason, target)
        self.values[number] = self.page.fallbacks[number]
        return 0

    cdef int _failed(self, Py_ssize_t number, str reason, bytes target=None) except -1:
        cdef str name = self.page.names[number]
        self._note(target[:NAME_MAX].decode("ascii") if target is not None and name == ESI_INCLUDE else name, reason)
        self.values[number] = self.page.fallbacks[number]
        return 0

    cdef int _note(self, str name, str reason) except -1:
        self.ctx.note(f"personalize {name}" if name else "personalize", reason)
        if self.errors is None:
            self.errors = []
        if len(self.errors) < ERRORS_MAX:
            self.errors.append((name, reason))
        return 0

    cdef int left_alone(self, str reason) except -1:
        self._note("", reason)
        self.lines = error_line(self.errors)
        return 0

    # --- the reply ----------------------------------------------------------------------------------------------------

    cdef int _finish(self) except -1:
        cdef bint gzip = self.personal.gzip and accepts_gzip(self.request.fields)
        cdef bint is_plain = self.response.code == 200 and (self.request.method_wire == b"GET" or self.request.method_wire == b"HEAD")
        cdef bint is_known = False
        self.is_made = True
        self.lines = self.page.etag_line(values_hash(self.values), gzip) if is_plain else b""
        if is_plain and self.request.fields.may_have(IF_NONE_MATCH):
            is_known = evaluate(self.request, 200, self.lines[ETAG_AT:len(self.lines) - 2], None, None, self.ctx.now) == NOT_MODIFIED
        if is_known:
            self.response.code, self.response.content, gzip = 304, b"", False
        else:
            self.response.content = self._rendered(gzip)
        if gzip:
            self.lines += GZIP_LINE
        if self.errors is not None:
            self.lines += error_line(self.errors)
        return self._head()

    cdef object _rendered(self, bint gzip):
        """The body: bytes, or a tuple of pieces."""
        cdef list refused = []
        cdef object made = self._joined(gzip, refused)
        if refused:
            for number in dict.fromkeys(refused):
                self._failed(number, "refused")
            made = self._joined(gzip, [])       # with what stands in for them
        return made

    cdef object _joined(self, bint gzip, list refused):
        cdef Template template = self.page.template
        cdef tuple values = PyList_AsTuple(self.values)
        if gzip:
            self.pages.compress(self.page)
            return template.gzipped(values, refused)
        return template.pieces(values, refused) if template.size <= PIECES_MAX else template.joined(values, refused)

    cdef int _head(self) except -1:
        """What is edited of a stored head, which no hook has touched, is the same for all: it is done once."""
        cdef Response response = self.response
        cdef Page page = self.page
        cdef Fields fields
        if response.fields is None and page.stored is not response.stored:
            fields = fields_of(response.stored.head)
            make_personal(fields, self.personal, page.vary)
            page.stored, page.personal = response.stored, refreshed(response.stored, head_of(fields, None, None))
        if response.fields is None:
            response.stored = page.personal
        else:
            make_personal(response.fields, self.personal, page.vary)
        if response.code == 304:
            for name in OF_THE_CONTENT:
                response.own_fields().drop(name)
        return 0

    cdef int without_body(self) except -1:
        return make_personal(self.response.own_fields(), self.personal, self.personal.vary)


cdef uint64_t values_hash(list values) except? 0:
    """Of all values, each with its length, so that no two lists are one text."""
    cdef Py_ssize_t size = 0, length
    cdef object value
    cdef bytes text
    cdef char* at
    for value in values:
        size += sizeof(Py_ssize_t) + (0 if value is None else PyBytes_GET_SIZE(text_of(value)))
    text = PyBytes_FromStringAndSize(NULL, size)
    at = PyBytes_AS_STRING(text)
    for value in values:
        data = None if value is None else text_of(value)
        length = -1 if data is None else PyBytes_GET_SIZE(<bytes> data)
        memcpy(at, &length, sizeof(Py_ssize_t))
        at += sizeof(Py_ssize_t)
        if length > 0:
            memcpy(at, PyBytes_AS_STRING(<bytes> data), length)
            at += length
    return hash_of(text).low


cdef inline bytes text_of(object value):
    return (<Fragment> value).data if type(value) is Fragment else <bytes> value


cdef object _told(str name, object error):
    """What a policy's function raised, for the error log."""
    if isinstance(error, StageError):
        return error        # which says what slot it was
    failure = StageError(f"Personalize, slot {name!r}: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


cdef bytes error_line(list errors):
    """Edge-Error, a list of what went wrong (RFC 9651 §3.1)."""
    return b"edge-error: " + b", ".join([
        f"personalize{_parameter(name)};reason={reason}".encode() for name, reason in errors
    ]) + b"\r\n"


cdef str _parameter(str name):
    return ';slot="' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' if name else ""


cdef bytes target_of(bytes url, Request request):
    """A URL, absolute or relative to the page's, as the target of a request to the same site.

    None for all others, and for what no client could ask for: gates go by paths that origins read in one way only.
    """
    cdef bytes origin, joined
    if len(url) > URL_MAX:
        return None
    if url.startswith(b"/") and not url.startswith(b"//"):
        joined = url
    else:
        origin = origin_of(request)
        try:
            joined = urljoin(url_of(request, request.target_wire), url)
        except ValueError:      # brackets around what is no address
            return None
        if joined[:len(origin)].lower() != origin or joined[len(origin):len(origin) + 1] != b"/":
            return None
        joined = joined[len(origin):]
    joined = joined.partition(b"#")[0]
    try:
        check_target(joined)
    except WireError:
        return None
    return joined if len(joined) <= URL_MAX else None


cdef PageReply page_reply(Pages pages, PersonalStage personal, Request request, Context ctx, Response response):
    cdef PageReply reply = PageReply.__new__(PageReply)
    reply.pages, reply.personal, reply.request, reply.ctx, reply.response = pages, personal, request, ctx, response
    return reply
