"""The compiled pages of a worker: each body is compiled once for each policy, and found again as long as it is in use.

Bounded in bytes; what has not been asked for the longest goes first, and is compiled again when it is.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from collections import OrderedDict

from xxhash import xxh3_64_hexdigest

from fastedge._core.fields cimport CONTENT_ENCODING, CONTENT_TYPE, FieldName, Fields, known
from fastedge._core.slotvalues cimport UrlSource
from fastedge._core.storedhead cimport head_value
from fastedge.html.compile import compile_page
from fastedge.limits import html_bytes_max
from fastedge.semantics.codings import decoded

cdef enum:
    ETAG_LINE = 44

cdef FieldName _CONTENT_ENCODING = known(CONTENT_ENCODING)
cdef FieldName _CONTENT_TYPE = known(CONTENT_TYPE)
cdef frozenset WITHOUT_CONTENT = frozenset((204, 205, 206, 304))
cdef const char* DIGITS = b"0123456789abcdef"
cdef bytes HTML = b"text/html"


@cython.final
cdef class Page:
    def __init__(
        self, Template template, str problem, bytes coding, bytes content_type, PersonalStage personal, bytes tag=b""
    ):
        cdef list sources = [personal.source_of(input) for input in (() if template is None else template.inputs)]
        self.template, self.problem, self.tag = template, problem, tag
        self.coding, self.content_type = coding, content_type
        self.vary = personal.vary if template is None else personal.vary_of(template.inputs)
        self.sources = tuple(sources)
        self.names = tuple([input if type(input) is str else "esi:include" for input in (() if template is None else template.inputs)])
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
cdef class Pages:
    """`bytes_max`: what pages, templates and compressed spans may take together."""

    def __init__(self, Py_ssize_t bytes_max):
        self.table = OrderedDict()
        self.bytes_max = bytes_max

    def __len__(self):
        return len(self.table)

    cdef Page find(self, object body, Response response, PersonalStage personal):
        """The page that was made of a stored body, by this policy and under what the response says of it; or None."""
        cdef object key = (id(body), id(personal))
        cdef Page page = <Page> self.table.get(key)
        if page is None:
            return None
        if response.fields is not None or page.stored is not response.stored:
            if _value(response, _CONTENT_TYPE) != page.content_type or _value(response, _CONTENT_ENCODING) != page.coding:
                return None
        self.table.move_to_end(key)
        return page

    cdef Page page_of(self, object body, bytes content, Response response, PersonalStage personal):
        """The page that `content` is, the whole of `body`; kept where that is a stored one, which others will be answered from."""
        cdef Page page = self.find(body, response, personal)
        if page is None:
            page = _compiled(content, _value(response, _CONTENT_ENCODING), _value(response, _CONTENT_TYPE), personal)
            if response.stored is not None and response.stored.body is body:
                # As long as they are held no other object has their ids.
                page.key, page.body = (id(body), id(personal)), (body, personal)
                page.cost_bytes = len(content)
                if page.template is not None:
                    page.cost_bytes += len(page.template.page) + page.template.cost_bytes
                self._keep(page.key, page, page.cost_bytes)
        return page

    cdef Fragment fragment_of(self, bytes body):
        """A stored body as a fragment that is compressed once."""
        cdef object key = (id(body), 0)
        found = self.table.get(key)
        if found is None:
            found = (body, Fragment(body))
            self._keep(key, found, 2 * PyBytes_GET_SIZE(body))
        else:
            self.table.move_to_end(key)
        return <Fragment> found[1]

    cdef int compress(self, Page page) except -1:
        """Has the spans compressed, once."""
        cdef Py_ssize_t before = page.template.cost_bytes
        if page.template.deflates is None:
            page.template.compress_spans()
            if page.key is not None and self.table.get(page.key) is page:
                page.cost_bytes += page.template.cost_bytes - before
                self._make_room(page.template.cost_bytes - before)
        return 0

    cdef int _keep(self, object key, object entry, Py_ssize_t cost_bytes) except -1:
        self._drop(self.table.pop(key, None))
        if cost_bytes <= self.bytes_max // 4:
            self.table[key] = entry
            self._make_room(cost_bytes)
        return 0

    cdef int _make_room(self, Py_ssize_t more_bytes) except -1:
        self.bytes_used += more_bytes
        while self.bytes_used > self.bytes_max:
            self._drop(self.table.popitem(last=False)[1])
        return 0

    cdef int _drop(self, object gone) except -1:
        if gone is not None:
            self.bytes_used -= (<Page> gone).cost_bytes if type(gone) is Page else 2 * len(gone[0])
        return 0


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
    tag = xxh3_64_hexdigest(repr((personal.rules, charset)).encode() + text).encode()
    return Page(template, None, coding, content_type, personal, tag)


cdef bytes _value(Response response, FieldName name):
    if response.fields is None:
        return head_value(response.stored.head, name)
    return response.fields.combined(name)


cdef bint is_page(Response response) except -1:
    """Whether it is HTML, and whole."""
    cdef bytes content_type
    if response.code in WITHOUT_CONTENT or response.code < 200:
        return False
    content_type = _value(response, _CONTENT_TYPE)
    return content_type is not None and _is_html(content_type)


cdef bint is_stored_page(Stored stored) except -1:
    cdef bytes content_type = head_value(stored.head, _CONTENT_TYPE)
    return content_type is not None and stored.status not in WITHOUT_CONTENT and _is_html(content_type)


cdef bint _is_html(bytes content_type) except -1:
    """RFC 9110 §8.3.1: a media type is the same in any case, and parameters may come behind it."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(HTML)
    if PyBytes_GET_SIZE(content_type) < size or content_type[:size].lower() != HTML:
        return False
    return PyBytes_GET_SIZE(content_type) == size or content_type[size:size + 1] in b"; \t"
