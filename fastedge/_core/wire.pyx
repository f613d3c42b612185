"""The heads of HTTP/1.1 messages (RFC 9112 §2–6), strictly. No I/O.

llhttp splits the field lines; the start line, the framing and everything that two parsers could read differently are
decided here. A parser sees one whole head at a time, so that one serves all connections of a worker.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memchr, memcmp

from urllib.parse import unquote_to_bytes

from fastedge._core.address cimport parse_address
from fastedge._core.body cimport CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE
from fastedge._core.fields cimport (
    CONNECTION, CONTENT_LENGTH, EDGE_CACHE_CONTROL, EXPECT, HOST, OTHER, OWN, RULED, TE, TRANSFER_ENCODING, UPGRADE, FieldName, Fields, intern_span,
    intern_wire, is_forgeable,
)
from fastedge._core.llhttp cimport HeadParser, Span
from fastedge._core.message cimport Request, make_request
from fastedge.errors import WireError
from fastedge.limits import header_bytes_max, target_bytes_max

cdef Py_ssize_t HEAD_MAX = header_bytes_max
cdef Py_ssize_t TARGET_MAX = target_bytes_max
cdef int HOSTS_KNOWN_MAX = 4096

# Methods that httptools can parse and that HTTP knows: others, RTSP's among them, are 501 (RFC 9110 §9.1).
cdef frozenset _METHODS = frozenset(
    b"GET HEAD POST PUT DELETE OPTIONS PATCH TRACE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH BIND REBIND "
    b"UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE MKCALENDAR LINK UNLINK PURGE QUERY SUBSCRIBE UNSUBSCRIBE NOTIFY".split()
)
cdef frozenset _TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
cdef frozenset _LABEL = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
cdef bytes _GET = b"GET"

# Host field → (authority, host), validated; a bounded memo.
cdef dict _hosts = {}


# --- finding a head ------------------------------------------------------------------------------------------------


cdef Py_ssize_t head_end(bytes data, Py_ssize_t start) noexcept:
    """The index behind the empty line that ends the head which begins at `start`; -1 when it is not there yet."""
    cdef const char* base = PyBytes_AS_STRING(data)
    cdef const char* end = base + len(data)
    cdef const char* at = base + start
    while True:
        # From line to line: an empty one ends the head.
        at = <const char*> memchr(at, c"\n", end - at)
        if at is NULL or end - at < 3:
            return -1
        if at[1] == c"\r" and at[2] == c"\n" and (at - 1)[0] == c"\r":
            return at + 3 - base
        at += 1


cdef int check_partial_head(bytes data, Py_ssize_t start) except -1:
    """Refuses early what can never become a head: too long, a line that ends in a bare LF, a first line that is no request."""
    cdef const char* at = PyBytes_AS_STRING(data) + start
    cdef const char* end = at + len(data) - start
    cdef const char* newline = <const char*> memchr(at, c"\n", end - at)
    if at[0] == c"\r":
        # Half of an empty line before the request line, perhaps (RFC 9112 §2.2).
        if end - at > 1:
            raise WireError(400, "no_http")
        return 0
    if at < end and not _is_tchar(at[0]):
        raise WireError(400, "no_http")
    if newline is NULL:
        if end - at > TARGET_MAX + 64:
            raise WireError(414, "target_too_long")
        return 0
    if newline == at or (newline - 1)[0] != c"\r":
        raise WireError(400, "bare_lf")
    _request_line(data[start:start + (newline - at) + 1])
    if end - at > HEAD_MAX:
        raise WireError(431, "head_too_long")
    while newline is not NULL:
        if (newline - 1)[0] != c"\r":
            raise WireError(400, "bare_lf")
        newline = <const char*> memchr(newline + 1, c"\n", end - newline - 1)
    return 0


cdef bint _is_tchar(unsigned char c) except -1:
    return c"A" <= c <= c"Z" or c"a" <= c <= c"z" or c in _TOKEN


# --- requests ------------------------------------------------------------------------------------------------------


@cython.final
cdef class RequestReader:
    """Reads request heads. `parse(head)` is the Python face of `read`; a worker needs one for all its connections."""

    def __cinit__(self):
        self.parser = HeadParser(True)

    def parse(self, bytes head, *, bint secure=False):
        """The Request of one whole head, empty line included; raises WireError with the status that the client is owed."""
        return self.read(head, secure)

    cdef Request read(self, bytes head, bint secure):
        cdef bytes method, target, authority, host
        cdef Py_ssize_t path_length
        method, target, minor = _request_line(head)
        if len(head) > HEAD_MAX:
            raise WireError(431, "head_too_long")
        self._reset(minor)
        self._feed(head)
        if self.problem is not None:
            raise WireError(self.problem_status, self.problem)
        self._frame()
        authority, host = self._authority()
        if target[0] != c"/":
            target, authority, host = self._other_form(method, target, authority, host, secure)
        path_length = check_target(target)
        self.fields.frozen = True
        return make_request(method, target, path_length, authority, host, self.fields, minor, secure)

    cdef _reset(self, int minor):
        self.fields = Fields.__new__(Fields)
        self.host = None
        self.upgrade = None
        self.nominated = None
        self.problem = None
        self.hosts = self.lengths = self.codings = 0
        self.content_length = 0
        self.said.closes = self.said.keeps = self.said.upgrades = False
        self.expects_continue = self.accepts_trailers = False
        self.is_10 = minor == 0

    cdef int _feed(self, bytes head) except -1:
        cdef HeadParser parser = self.parser
        cdef FieldName name
        cdef Span* value
        cdef int i
        if parser.split(PyBytes_AS_STRING(head), len(head)):
            if parser.overflow:
                raise WireError(431, "too_many_fields")
            reason = parser.reason()
            raise WireError(501 if parser.unknown_method() else 413 if reason == "content_length_overflow" else 400, reason)
        self.fields.head = head
        for i in range(parser.count):
            name = intern_span(parser.names[i].at, parser.names[i].size)
            value = &parser.values[i]
            if is_forgeable(name):
                continue
            if OTHER < name.id <= RULED:
                self._on(name, value.at[:value.size])
            self.fields.append_span(name, value.at, value.size)
        return 0

    cdef int _refuse(self, int status, str reason) except -1:
        """The first problem counts."""
        if self.problem is None:
            self.problem = reason
            self.problem_status = status
        return 0

    cdef int _on(self, FieldName name, bytes value) except -1:
        """A field that the rim has a rule for."""
        if name.id == HOST:
            self.hosts += 1
            self.host = value
        elif name.id == CONTENT_LENGTH:
            self.lengths += 1
            self.content_length = _length(value)
            if self.content_length < 0:
                self._refuse(413 if value.isdigit() else 400, "content_length")
        elif name.id == TRANSFER_ENCODING:
            self.codings += 1
            if value.lower() != b"chunked":
                self._refuse(501 if _is_decodable_by_others(value) else 400, "transfer_coding")
        elif name.id == CONNECTION:
            self.nominated = _connection_options(value, &self.said, self.nominated)
        elif name.id == EXPECT:
            if value.lower() == b"100-continue":
                self.expects_continue = not self.is_10
            else:
                self._refuse(417, "expectation")
        elif name.id == UPGRADE:
            self.upgrade = value
        elif name.id == TE:
            self.accepts_trailers |= b"trailers" in [member.strip(b" \t") for member in value.lower().split(b",")]
        return 0

    cdef int _frame(self) except -1:
        """How the body is delimited (RFC 9112 §6.3), and whether the connection stays."""
        if self.lengths > 1:
            raise WireError(400, "several_content_lengths")
        if self.codings:
            if self.lengths:
                raise WireError(400, "content_length_and_transfer_encoding")
            if self.codings > 1:
                raise WireError(400, "several_transfer_encodings")
            if self.is_10:
                raise WireError(400, "transfer_encoding_in_http_1_0")
        self.framing = CHUNKED if self.codings else LENGTH if self.lengths and self.content_length else NO_BODY
        self.keep_alive = not self.said.closes and (self.said.keeps or not self.is_10)
        if not self.said.upgrades or self.is_10 or (self.upgrade is not None and self.upgrade.lower().startswith(b"h2c")):
            self.upgrade = None
        return 0

    cdef tuple _authority(self):
        if self.hosts > 1:
            raise WireError(400, "several_hosts")
        if self.host is None:
            if not self.is_10:
                raise WireError(400, "no_host")
            return b"", b""
        found = _hosts.get(self.host)
        if found is None:
            found = _parse_authority(self.host)
            if len(_hosts) < HOSTS_KNOWN_MAX:
                _hosts[self.host] = found
        return <tuple> found

    cdef tuple _other_form(self, bytes method, bytes target, bytes authority, bytes host, bint secure):
        """(target, authority, host) of absolute-form and asterisk-form (RFC 9112 §3.2.2, §3.2.4).

        An authority that contradicts Host is refused, and so is another scheme than the connection's (RFC 9110 §7.4).
        """
        if target == b"*":
            if method != b"OPTIONS":
                raise WireError(400, "asterisk_form")
            return target, authority, host
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            raise WireError(400, "target_form")
        if secure != (len(scheme) == 5):
            raise WireError(421, "target_scheme")
        size = min(len(rest.partition(b"/")[0]), len(rest.partition(b"?")[0]))
        named, host = _parse_authority(rest[:size])
        default = b":443" if secure else b":80"
        if authority and named.removesuffix(default) != authority.removesuffix(default):
            raise WireError(400, "target_contradicts_host")
        target = rest[size:]
        if not target.startswith(b"/"):
            # RFC 9112 §3.2.4: OPTIONS without path and query asks about the server.
            target = b"*" if method == b"OPTIONS" and not target else b"/" + target
        return target, named, host


cdef tuple _request_line(bytes head):
    """(method, target, minor version) of a request line `METHOD SP TARGET SP HTTP/1.x CRLF`, and of nothing looser."""
    cdef const char* at = PyBytes_AS_STRING(head)
    cdef const char* end = <const char*> memchr(at, c"\r", len(head))
    cdef const char* space = <const char*> memchr(at, c" ", len(head))
    cdef const char* version
    cdef bytes method, target
    if end is NULL or end[1] != c"\n":
        raise WireError(400, "request_line")
    if space is NULL or space > end or end - space < 11 or memcmp(end - 9, b" HTTP/", 6) != 0:
        raise _not_a_request_line(at[:end - at])
    version = end - 3
    if version[1] != c"." or version[0] != c"1" or version[2] not in (c"0", c"1"):
        raise _not_a_version(at[end - at - 3:end - at])
    method = _GET if space - at == 3 and memcmp(at, b"GET", 3) == 0 else at[:space - at]
    if end - 9 <= space + 1:
        raise WireError(400, "request_line")
    target = space[1:end - 9 - space]
    if len(target) > TARGET_MAX:
        raise WireError(414, "target_too_long")
    if method is not _GET and method not in _METHODS:
        raise WireError(501 if _TOKEN.issuperset(method) and method else 400, "method")
    return method, target, version[2] - c"0"


cdef object _not_a_request_line(bytes line):
    if line.count(b" ") == 1 and len(line) > TARGET_MAX:
        return WireError(414, "target_too_long")
    if b" HTTP/" in line:
        return _not_a_version(line.rpartition(b" HTTP/")[2])
    return WireError(400, "request_line")


cdef object _not_a_version(bytes version):
    """505 for another version of HTTP (RFC 9112 §2.3), and for what its later versions are called; else 400."""
    major, dot, minor = version.partition(b".")
    is_version = major.isdigit() and len(major) == 1 and (len(minor) == 1 and minor.isdigit() if dot else True)
    return WireError(505 if is_version and version not in (b"1.0", b"1.1") else 400, "version")


cdef Py_ssize_t check_target(bytes target) except -1:
    """The length of the path. Refuses what is no URI and what an origin might resolve to another path."""
    cdef const unsigned char* at = target
    cdef Py_ssize_t i, length = len(target), path_length = -1
    cdef bint odd = False
    cdef unsigned char c
    for i in range(length):
        c = at[i]
        if c <= 0x20 or c >= 0x7F or c == c"#":
            raise WireError(400, "target_character")
        if path_length < 0:
            if c == c"?":
                path_length = i
            elif c == c"%" or c == c"\\" or (c == c"." and i and at[i - 1] == c"/"):
                odd = True
    if path_length < 0:
        path_length = length
    if odd:
        _check_odd_path(target[:path_length])
    return path_length


cdef int _check_odd_path(bytes path) except -1:
    cdef bytes decoded = unquote_to_bytes(path)
    for part in path.split(b"%")[1:]:
        if len(part) < 2 or not all(c in b"0123456789abcdefABCDEF" for c in part[:2]):
            raise WireError(400, "percent_encoding")
    if b"\\" in path or b"\0" in decoded:
        raise WireError(400, "target_character")
    for segment in decoded.replace(b"\\", b"/").split(b"/"):
        if segment in (b".", b"..") or segment.startswith((b"..;", b".;")):
            raise WireError(400, "dot_segment")
    return 0


cdef tuple _parse_authority(bytes raw):
    """(authority, host), lower-case, of host[:port] (RFC 3986 §3.2); userinfo and empty hosts are refused."""
    cdef bytes authority = raw.lower()
    cdef unsigned char packed[16]
    host, colon, port = authority.rpartition(b":") if not authority.endswith(b"]") else (authority, b"", b"")
    if not colon:
        host = authority
    elif not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise WireError(400, "host")
    if host.startswith(b"["):
        valid = host.endswith(b"]") and parse_address(host[1:len(host) - 1], len(host) - 2, packed) == 0 and b":" in host
    else:
        # "shop.example." is "shop.example" (RFC 3986 §3.2.2): no spelling slips past what is said of a host.
        host = host.removesuffix(b".")
        valid = len(host) <= 253 and all(label and _LABEL.issuperset(label) for label in host.split(b"."))
    if not valid:
        raise WireError(400, "host")
    return authority, host


cdef bint _is_decodable_by_others(bytes codings):
    """Whether this is a list of codings that ends in chunked: well framed, but not for us (RFC 9112 §6.1, §6.3)."""
    before, comma, last = codings.lower().rpartition(b",")
    names = [coding.partition(b";")[0].strip(b" \t") for coding in before.split(b",")]
    return bool(comma) and last.strip(b" \t") == b"chunked" and all(
        name and _TOKEN.issuperset(name) and name not in (b"chunked", b"identity") for name in names
    )


cdef long long _length(bytes value) noexcept:
    """Content-Length as a number of bytes; -1 for anything but 1 to 18 digits."""
    cdef const unsigned char* at = value
    cdef Py_ssize_t i
    cdef long long length = 0
    if not 0 < len(value) <= 18:
        return -1
    for i in range(len(value)):
        if not c"0" <= at[i] <= c"9":
            return -1
        length = length * 10 + (at[i] - c"0")
    return length


cdef list _connection_options(bytes value, Options* said, list nominated):
    """Reads a Connection field (RFC 9110 §7.6.1): sets in `said` what it asks for, gives the fields that it names too."""
    for option in value.lower().split(b","):
        option = option.strip(b" \t")
        if option == b"close":
            said.closes = True
        elif option == b"keep-alive":
            said.keeps = True
        elif option == b"upgrade":
            said.upgrades = True
        elif option:
            nominated = _nominate(nominated, option)
    return nominated


cdef list _nominate(list names, bytes option):
    if names is None:
        names = []
    names.append(intern_wire(option))
    return names


# --- responses -----------------------------------------------------------------------------------------------------


@cython.final
cdef class ResponseReader:
    """Reads the heads of origins' responses. WireError means that the origin cannot be understood: a 502."""

    def __cinit__(self):
        self.parser = HeadParser(False)

    def parse(self, bytes head, *, bint to_head=False):
        """(status, Fields) of one whole head; `to_head` says that the request was HEAD (RFC 9112 §6.3)."""
        fields = self.read(head, to_head)
        return self.status, fields

    cdef Fields read(self, bytes head, bint to_head):
        self._status_line(head)
        self.fields = Fields.__new__(Fields)
        self.upgrade = None
        self.nominated = None
        self.problem = None
        self.lengths = self.codings = 0
        self.content_length = 0
        self.said.closes = self.said.keeps = self.said.upgrades = False
        self._feed(head)
        if self.problem is not None:
            raise WireError(502, self.problem)
        self._frame(to_head)
        return self.fields

    cdef int _status_line(self, bytes head) except -1:
        cdef const char* at = PyBytes_AS_STRING(head)
        if len(head) > HEAD_MAX:
            raise WireError(502, "head_too_long")
        if len(head) < 16 or memcmp(at, b"HTTP/1.", 7) != 0 or at[7] not in (c"0", c"1") or at[8] != c" ":
            raise WireError(502, "status_line")
        # A code beyond 599 says nothing that could be handed on (RFC 9110 §15).
        if not at[9:12].isdigit() or at[12] not in (c" ", c"\r") or not c"1" <= at[9] <= c"5":
            raise WireError(502, "status_line")
        self.minor = at[7] - c"0"
        self.status = (at[9] - c"0") * 100 + (at[10] - c"0") * 10 + (at[11] - c"0")
        return 0

    cdef int _feed(self, bytes head) except -1:
        cdef HeadParser parser = self.parser
        cdef FieldName name
        cdef Span* value
        cdef int i
        if parser.split(PyBytes_AS_STRING(head), len(head)):
            raise WireError(502, parser.reason())
        self.fields.head = head
        for i in range(parser.count):
            name = intern_span(parser.names[i].at, parser.names[i].size)
            value = &parser.values[i]
            if name.traits & OWN and name.id != EDGE_CACHE_CONTROL:
                continue
            if OTHER < name.id <= RULED:
                self._on(name, value.at[:value.size])
            self.fields.append_span(name, value.at, value.size)
        return 0

    cdef int _on(self, FieldName name, bytes value) except -1:
        if name.id == CONTENT_LENGTH:
            self.lengths += 1
            self.content_length = _length(value)
            if self.content_length < 0:
                self.problem = "content_length"
        elif name.id == TRANSFER_ENCODING:
            self.codings += 1
            if value.lower() != b"chunked":
                self.problem = "transfer_coding"
        elif name.id == CONNECTION:
            self.nominated = _connection_options(value, &self.said, self.nominated)
        elif name.id == UPGRADE:
            self.upgrade = value
        return 0

    cdef int _frame(self, bint to_head) except -1:
        if self.lengths > 1 or self.codings > 1 or (self.lengths and self.codings) or (self.codings and self.minor == 0):
            raise WireError(502, "ambiguous_framing")
        self.keep_alive = not self.said.closes and (self.said.keeps or self.minor == 1)
        if to_head or self.status < 200 or self.status == 204 or self.status == 304:
            self.framing = NO_BODY
        elif self.codings:
            self.framing = CHUNKED
        elif self.lengths:
            self.framing = LENGTH
        else:
            self.framing = UNTIL_CLOSE
            self.keep_alive = False
        return 0
