"""llhttp, as the httptools package carries it, splitting one whole head into spans. The one file that imports httptools.

httptools makes two objects and a Python call of every field line; the same parser called over spans makes none, which
halves the cost of reading a request. Its C functions are exported by httptools' extension module; their layout is
checked when this module is imported. Nothing here is a rule: what a head means is decided in `wire`.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free

import httptools.parser.parser as _extension

from fastedge.limits import header_count_max

cdef extern from "dlfcn.h" nogil:
    void* dlopen(const char*, int)
    void* dlsym(void*, const char*)
    enum: RTLD_LAZY

cdef enum:
    PARSER_BYTES = 1024         # llhttp_t has about 120; only llhttp touches it
    HPE_OK = 0
    HPE_INVALID_METHOD = 6
    HPE_PAUSED_UPGRADE = 22     # the head is whole; what follows is none of llhttp's business anyway

# llhttp_settings_t of llhttp 9: which callback stands where.
cdef enum Callback:
    ON_HEADER_FIELD = 6
    ON_HEADER_VALUE = 7
    ON_HEADERS_COMPLETE = 10
    ON_HEADER_VALUE_COMPLETE = 19
    CALLBACKS = 32

ctypedef void (*Init)(void*, int, void**) noexcept
ctypedef int (*Execute)(void*, const char*, size_t) noexcept
ctypedef void (*Reset)(void*) noexcept
ctypedef const char* (*Reason)(const void*) noexcept

cdef int COUNT_MAX = header_count_max
cdef Init _init
cdef Execute _execute
cdef Reset _reset
cdef Reason _reason
cdef void* _settings[CALLBACKS]
# Who is being called back: a head is split in one call, under the interpreter's lock.
cdef void* _current


cdef int _on_field(void* parser, const char* at, size_t size) noexcept:
    cdef HeadParser self = <HeadParser> _current
    if self.count == COUNT_MAX:
        self.overflow = True
        return -1
    self.names[self.count].at = at
    self.names[self.count].size = size
    self.values[self.count].size = 0
    return 0


cdef int _on_value(void* parser, const char* at, size_t size) noexcept:
    cdef HeadParser self = <HeadParser> _current
    cdef Span* value = &self.values[self.count]
    while size and (at[size - 1] == c" " or at[size - 1] == c"\t"):
        size -= 1
    value.at = at
    value.size = size
    return 0


cdef int _on_value_complete(void* parser) noexcept:
    cdef HeadParser self = <HeadParser> _current
    self.count += 1
    return 0


cdef int _on_head_complete(void* parser) noexcept:
    (<HeadParser> _current).complete = True
    return 1    # no body follows, as far as llhttp is concerned


@cython.final
cdef class HeadParser:
    """Splits heads, one whole head at a time; `is_request` says of which kind. Values come without white space around
    them (RFC 9112 §5.1)."""

    def __cinit__(self, bint is_request):
        self.parser = PyMem_Calloc(1, PARSER_BYTES)
        self.names = <Span*> PyMem_Calloc(COUNT_MAX + 1, sizeof(Span))
        self.values = <Span*> PyMem_Calloc(COUNT_MAX + 1, sizeof(Span))
        if self.parser is NULL or self.names is NULL or self.values is NULL:
            raise MemoryError()
        _init(self.parser, 1 if is_request else 2, _settings)

    def __dealloc__(self):
        PyMem_Free(self.parser)
        PyMem_Free(self.names)
        PyMem_Free(self.values)

    cdef int split(self, const char* head, Py_ssize_t size) except -1:
        """0, or llhttp's error number (-1: the head ends nowhere); then `reason` says why. The spans point into `head`.

        The parser is as new for each head: behind `Connection: close` or an upgrade llhttp reads nothing more, and the
        next head may be another client's.
        """
        global _current
        cdef int error
        self.count = 0
        self.overflow = self.complete = False
        _reset(self.parser)
        _current = <void*> self
        error = _execute(self.parser, head, size)
        _current = NULL
        if error == HPE_PAUSED_UPGRADE:
            error = HPE_OK
        self.error = error if error != HPE_OK or self.complete else -1
        return self.error

    cdef bint unknown_method(self) noexcept:
        return self.error == HPE_INVALID_METHOD

    cdef str reason(self):
        """A token for the log, from what llhttp says of its last error."""
        cdef const char* text = _reason(self.parser)
        if self.overflow:
            return "too_many_fields"
        words = b"" if text is NULL else <bytes> text
        token = "".join(c if c.isalnum() else "_" for c in words.decode("ascii", "replace").partition(":")[0].lower())
        return token.strip("_")[:48] or "syntax"

    def fields(self, bytes head):
        """The field lines of a head, or None: for tests, and for the check below."""
        if self.split(head, len(head)):
            return None
        return [
            (self.names[i].at[:self.names[i].size], self.values[i].at[:self.values[i].size]) for i in range(self.count)
        ]


cdef void* _symbol(void* library, bytes name) except NULL:
    cdef void* found = NULL if library is NULL else dlsym(library, name)
    if found is NULL:
        raise ImportError(f"httptools does not offer {name.decode()}: fastedge needs httptools 0.9")
    return found


cdef _load():
    global _init, _execute, _reset, _reason
    cdef void* library = dlopen(_extension.__file__.encode(), RTLD_LAZY)
    _init = <Init> _symbol(library, b"llhttp_init")
    _execute = <Execute> _symbol(library, b"llhttp_execute")
    _reset = <Reset> _symbol(library, b"llhttp_reset")
    _reason = <Reason> _symbol(library, b"llhttp_get_error_reason")
    _settings[<int> ON_HEADER_FIELD] = <void*> _on_field
    _settings[<int> ON_HEADER_VALUE] = <void*> _on_value
    _settings[<int> ON_HEADERS_COMPLETE] = <void*> _on_head_complete
    _settings[<int> ON_HEADER_VALUE_COMPLETE] = <void*> _on_value_complete


cdef _check():
    """One layout is known; a library with another must not be guessed at."""
    lines = b"A: 1\r\nbb:\r\nContent-Length: 5\r\nCc:  x y \t\r\n\r\n"
    expected = [(b"A", b"1"), (b"bb", b""), (b"Content-Length", b"5"), (b"Cc", b"x y")]
    for is_request, start in ((True, b"POST / HTTP/1.1\r\n"), (False, b"HTTP/1.1 200 OK\r\n")):
        parser = HeadParser(is_request)
        for _ in range(2):
            if parser.fields(start + lines) != expected or parser.fields(start + b"a b: c\r\n\r\n") is not None:
                raise ImportError("this httptools splits heads in another way: fastedge needs httptools 0.9")
        for end in (b"Connection: close\r\n\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n\r\n", b"X: y\r\n\r\n"):
            if len(parser.fields(start + end) or ()) != end.count(b"\r\n") - 1:
                raise ImportError("this httptools splits heads in another way: fastedge needs httptools 0.9")


_load()
_check()
