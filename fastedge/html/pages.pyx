"""The compiled pages of a worker: each body is compiled once for each policy, and found again as long as it is in use.

Bounded in bytes; what has not been asked for goes first, and is compiled again when it is.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memcpy

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

from collections import OrderedDict

from xxhash import xxh3_64_hexdigest

from fastedge._core.fields cimport CONTENT_ENCODING, CONTENT_TYPE, FieldName, known
from fastedge._core.personalstage cimport listed
from fastedge._core.slotvalues cimport UrlSource
from fastedge._core.storedhead cimport head_value
from fastedge.html.compile import compile_page
from fastedge.limits import html_bytes_max
from fastedge.semantics.codings import decoded

ESI_INCLUDE = "esi:include"

cdef enum:
    ETAG_LINE = 44

cdef FieldName _CONTENT_ENCODING = known(CONTENT_ENCODING)
cdef FieldName _CONTENT_TYPE = known(CONTENT_TYPE)
cdef const char* DIGITS = b"0123456789abcdef"


@cython.final
cdef class Page:
    def __init__(
        self, Template template, str problem, bytes coding, bytes content_type, PersonalStage personal, bytes tag=b""
    ):
        cdef tuple inputs = () if template is None else template.inputs
        cdef list sources = [personal.source_of(input) for input in inputs]
        self.template, self.problem, self.tag = template, problem, tag
        self.coding, self.content_type = coding, content_type
        self.vary = listed(personal.vary, sources)
        self.sources = tuple(sources)
        self.names = tuple([input if type(input) is str else ESI_INCLUDE for input in inputs])
        self.fallbacks = tuple([_encoded(personal.fallbacks.get(name)) for name in self.names])
        self.asks = any([isinstance(source, UrlSource) for source in sources])

    cdef bytes etag_line(self, uint64_t values, bint gzip):
        """A weak ETag, as a field line: of the page, its rules and the values, which the body is a function of."""
        cdef bytes line = PyBytes_FromStringAndSize(NULL, ETAG_LINE)
        cdef char* at = PyBytes_AS_STRING(line)
        cdef int i
        values ^= gzip
        memcpy(at, b'etag: W/"', 9)
        memcpy(at + 9, PyBytes_AS_STRING(self.tag), 16)
        for i in range(16):
            at[25 + i] = DIGITS[values >> (60 - 4 * i) & 15]
        memcpy(at + 41, b'"\r\n', 3)
        return line


@cython.final
cdef class Entry:
    pass


@cython.final
cdef class Pages:
    """`bytes_max`: what pages, templates and compressed spans may take together."""

    def __init__(self, Py_ssize_t bytes_max):
        self.table = OrderedDict()
        self.bytes_max = bytes_max

    def __len__(self):
        return len(self.table)

    cdef Page find(self, object body, Response response, PersonalStage personal):
        """The page that was made of a stored body, by this policy and under what the response says of it; or None."""
        cdef Entry entry = self._find(body, personal)
        cdef Page page
        if entry is None:
            return None
        page = <Page> entry.made
        if response.fields is not None or page.stored is not response.stored:
            if field_value(response, _CONTENT_TYPE) != page.content_type or field_value(response, _CONTENT_ENCODING) != page.coding:
                return None
        return page

    cdef Page page_of(self, object body, bytes content, Response response, PersonalStage personal):
        """The page that `content` is, all of `body`; kept where that is a stored one, which others will be answered from."""
        cdef Page page = self.find(body, response, personal)
        if page is not None:
            return page
        page = _compiled(content, field_value(response, _CONTENT_ENCODING), field_value(response, _CONTENT_TYPE), personal)
        if response.stored is not None and response.stored.body is body:
            page.entry = self._keep(body, personal, page, len(content) + (
                0 if page.template is None else len(page.template.page) + page.template.cost_bytes
            ))
        return page

    cdef Fragment fragment_of(self, bytes body):
        """A stored body as a fragment that is compressed once."""
        cdef Entry entry = self._find(body, None)
        if entry is None:
            made = Fragment(body)
            self._keep(body, None, made, 2 * PyBytes_GET_SIZE(body))
            return made
        return <Fragment> entry.made

    cdef int compress(self, Page page) except -1:
        """Has the spans compressed, once."""
        cdef Py_ssize_t before = page.template.cost_bytes
        if page.template.deflates is None:
            page.template.compress_spans()
            if page.entry is not None and self.table.get(page.entry.key) is page.entry:
                page.entry.cost_bytes += page.template.cost_bytes - before
                self._make_room(page.template.cost_bytes - before)
        return 0

    cdef Entry _find(self, object body, PersonalStage personal):
        cdef object found = self.table.get(_key(body, personal))
        cdef Entry entry
        if found is None:
            return None
        entry = <Entry> found
        if entry.body is not body or entry.personal is not personal:
            return None
        entry.is_used = True
        return entry

    cdef Entry _keep(self, object body, PersonalStage personal, object made, Py_ssize_t cost_bytes):
        cdef Entry entry
        if cost_bytes > self.bytes_max // 4:
            return None
        entry = Entry.__new__(Entry)
        entry.key, entry.body, entry.personal, entry.made, entry.cost_bytes = _key(body, personal), body, personal, made, cost_bytes
        former = self.table.pop(entry.key, None)
        if former is not None:
            self._drop(<Entry> former)
        self._make_room(cost_bytes)
        self.table[entry.key] = entry
        return entry

    cdef int _make_room(self, Py_ssize_t more_bytes) except -1:
        """What has been used since the last time gets a second chance."""
        cdef Entry entry
        self.bytes_used += more_bytes
        while self.bytes_used > self.bytes_max:
            key, entry = self.table.popitem(last=False)
            if entry.is_used:
                entry.is_used = False
                self.table[key] = entry
            else:
                self._drop(entry)
        return 0

    cdef int _drop(self, Entry entry) except -1:
        self.bytes_used -= entry.cost_bytes
        if type(entry.made) is Page:
            (<Page> entry.made).entry = None    # no cycle, that would wait for a collection
        return 0


cdef inline object _key(object body, PersonalStage personal):
    return <size_t> <PyObject*> body ^ <size_t> <PyObject*> personal << 1


cdef bytes _encoded(object text):
    return text.encode("utf-8", "replace") if type(text) is str else text


cdef Page _compiled(bytes body, bytes coding, bytes content_type, PersonalStage personal):
    cdef bytes text = body
    cdef object charset = None
    if coding is not None:
        text = decoded(body, coding, html_bytes_max)
    if text is None:
        return Page(None, "encoding", coding, content_type, personal)
    if len(text) > html_bytes_max:
        return Page(None, "too_large", coding, content_type, personal)
    for parameter in content_type.split(b";")[1:]:
        name, _, value = parameter.partition(b"=")
        if name.strip().lower() == b"charset":
            charset = value.strip(b" \t\"").decode("latin-1")
            break
    template = compile_page(text, personal.rules, charset)
    tag = xxh3_64_hexdigest(b"\0".join((personal.rules_text, content_type, text))).encode()
    return Page(template, None, coding, content_type, personal, tag)


cdef bytes field_value(Response response, FieldName name):
    """The combined value of a field of a response, which may still be the stored one's."""
    if response.fields is None:
        return head_value(response.stored.head, name)
    return response.fields.combined(name)


cdef bint is_page(Response response) except -1:
    """Whether it is HTML, and whole."""
    cdef bytes content_type
    if not _has_content(response.code):
        return False
    content_type = field_value(response, _CONTENT_TYPE)
    return content_type is not None and _is_html(content_type)


cdef bint is_stored_page(Stored stored) except -1:
    cdef bytes content_type = head_value(stored.head, _CONTENT_TYPE)
    return content_type is not None and _has_content(stored.status) and _is_html(content_type)


cdef inline bint _has_content(int status) noexcept:
    """Whether there is content, and all of it."""
    return status >= 200 and status != 204 and status != 205 and status != 206 and status != 304


cdef bint _is_html(bytes content_type) noexcept:
    """RFC 9110 §8.3.1: a media type is the same in any case, and parameters may come behind it."""
    cdef const char* text = PyBytes_AS_STRING(content_type)
    return strncasecmp(text, b"text/html", 9) == 0 and (text[9] == 0 or text[9] == c";" or text[9] == c" " or text[9] == c"\t")
