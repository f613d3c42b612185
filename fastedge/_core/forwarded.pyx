"""The fields that tell who asked: Forwarded (RFC 7239) and X-Forwarded-*, read and written.

Whether a field is to be believed is not decided here.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.string cimport memchr, memcmp, strchr

from fastedge._core.address cimport format_address, parse_address, sixteen
from fastedge._core.fields cimport FORWARDED, X_FORWARDED_FOR, FieldName, Fields, known
from fastedge.errors import WireError

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

cdef enum:
    NODE_ROOM = 64      # "[" address "]:" port

# A unix peer. As a text, "::" is nobody's address (RFC 4291 §2.5.2), so that no field can claim to be one.
cdef unsigned char[16] UNIX_PEER
cdef FieldName _forwarded = known(FORWARDED)
cdef FieldName _x_forwarded_for = known(X_FORWARDED_FOR)


# --- what an origin is told ------------------------------------------------------------------------------------------


def origin_fields(Fields fields not None, bytes peer, bint peer_trusted, bytes authority not None, bint secure):
    """The values of X-Forwarded-For (None: there is nothing to say) and Forwarded that an origin gets."""
    cdef const unsigned char* packed = sixteen(peer)
    return (
        next_forwarded_for(fields, peer_trusted, text_of(packed)),
        next_forwarded(fields, peer_trusted, hop_of(node_of(packed), authority, secure)),
    )


cdef bytes text_of(const unsigned char* packed16):
    """An address as X-Forwarded-For has it; None for a unix peer, which has none."""
    return None if memcmp(packed16, UNIX_PEER, 16) == 0 else format_address(packed16)


cdef bytes node_of(const unsigned char* packed16):
    """An address as for= has it; None for a unix peer."""
    cdef bytes text = text_of(packed16)
    return b'"[%b]"' % text if text is not None and b":" in text else text


cdef bytes next_forwarded_for(Fields fields, bint peer_trusted, bytes peer_text):
    """X-Forwarded-For for the origin: what a trusted peer sent, and the peer. None when there is nothing to say.

    Where the peer wrote only Forwarded, its addresses are put here too (and the other way round in `next_forwarded`):
    else the two would tell the next reader of different clients. `resolve` has accepted the fields before.
    """
    cdef bytes before = None
    if peer_trusted:
        before = _said(fields, _x_forwarded_for)
        if before is None:
            before = _list_of(fields.combined(_forwarded))
    return peer_text if before is None else before if peer_text is None else before + b", " + peer_text


cdef bytes hop_of(bytes peer_node, bytes authority, bint secure):
    """The element of this hop. Without for= when the peer is a unix socket."""
    cdef bytes hop = b"host=" + _quoted(authority) + (b";proto=https" if secure else b";proto=http")
    return hop if peer_node is None else b"for=" + peer_node + b";" + hop


cdef bytes next_forwarded(Fields fields, bint peer_trusted, bytes hop):
    """Forwarded for the origin: what a trusted peer sent, and `hop`, which is hop_of's."""
    cdef bytes before = None
    if peer_trusted:
        before = _said(fields, _forwarded)
        if before is None:
            before = _elements_of(fields.combined(_x_forwarded_for))
    return hop if before is None else before + b", " + hop


cdef bytes _said(Fields fields, FieldName name):
    """A list field's combined value; None when it is missing or all its elements are empty."""
    cdef bytes value = fields.combined(name)
    return None if value is None else value.strip(b" \t,") or None


cdef bytes _list_of(bytes forwarded):
    """The addresses right of the last element that names none: a list cannot say "unknown"."""
    cdef unsigned char packed[16]
    cdef const char* at
    cdef const char* end
    cdef Element element
    if forwarded is None:
        return None
    texts = []
    at = PyBytes_AS_STRING(forwarded)
    end = at + len(forwarded)
    while next_element(&at, end, &element):
        if element_node(&element, packed) == ADDRESS:
            texts.append(format_address(packed))
        else:
            texts.clear()
    return b", ".join(texts) if texts else None


cdef bytes _elements_of(bytes forwarded_for):
    """A list as elements (RFC 7239 §7.4); what is no address is unknown."""
    cdef unsigned char packed[16]
    cdef const char* at
    cdef const char* end
    cdef const char* entry
    cdef Py_ssize_t size
    if forwarded_for is None:
        return None
    elements = []
    at = PyBytes_AS_STRING(forwarded_for)
    end = at + len(forwarded_for)
    while next_entry(&at, end, &entry, &size):
        known_address = parse_node(entry, size, True, packed) == ADDRESS
        elements.append(b"for=" + (node_of(packed) if known_address else b"unknown"))
    return b", ".join(elements) if elements else None


cdef bytes _quoted(bytes value):
    """A token as it is, anything else as a quoted string."""
    cdef const char* at = PyBytes_AS_STRING(value)
    cdef Py_ssize_t i
    for i in range(len(value)):
        if not _is_token(at[i]):
            return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return value or b'""'


# --- lists -----------------------------------------------------------------------------------------------------------


cdef Proto last_proto(bytes line, Proto before) noexcept:
    """What the peer itself wrote: a list's last value. `before` comes from the lines above."""
    cdef const char* at = PyBytes_AS_STRING(line)
    cdef const char* end = at + len(line)
    cdef const char* entry
    cdef Py_ssize_t size
    while next_entry(&at, end, &entry, &size):
        before = _proto(entry, size)
    return before


cdef inline Proto _proto(const char* text, Py_ssize_t size) noexcept:
    if size == 4 and strncasecmp(text, b"http", 4) == 0:
        return HTTP
    return HTTPS if size == 5 and strncasecmp(text, b"https", 5) == 0 else OTHER_PROTO


cdef bint next_entry(const char** at, const char* end, const char** entry, Py_ssize_t* size) noexcept:
    """The next entry of a plain list without its white space; empty ones are skipped (RFC 9110 §5.6.1)."""
    cdef const char* comma
    while at[0] < end:
        entry[0] = at[0]
        comma = <const char*> memchr(at[0], c",", end - at[0])
        at[0] = end if comma is NULL else comma + 1
        size[0] = (end if comma is NULL else comma) - entry[0]
        while size[0] and (entry[0][0] == c" " or entry[0][0] == c"\t"):
            entry[0] += 1
            size[0] -= 1
        while size[0] and (entry[0][size[0] - 1] == c" " or entry[0][size[0] - 1] == c"\t"):
            size[0] -= 1
        if size[0]:
            return True
    return False


# --- nodes (RFC 7239 §6) ---------------------------------------------------------------------------------------------


cdef Node parse_node(const char* text, Py_ssize_t size, bint bare, unsigned char* packed16) noexcept:
    """Reads an address with or without port, or a name that hides it. `bare`: IPv6 may stand without brackets."""
    cdef const char* colon
    cdef const char* port = NULL
    cdef const char* end = text + size
    if size >= 7 and strncasecmp(text, b"unknown", 7) == 0 and _is_port(text + 7, end):
        return HIDDEN
    if size and text[0] == c"_":
        return HIDDEN
    if size > NODE_ROOM or size == 0:
        return BROKEN
    if text[0] == c"[":
        text += 1
        port = <const char*> memchr(text, c"]", end - text)
        if port is NULL or not _is_port(port + 1, end) or memchr(text, c":", port - text) is NULL:
            return BROKEN
        end = port
    else:
        colon = <const char*> memchr(text, c":", size)
        if colon is not NULL and memchr(colon + 1, c":", end - colon - 1) is NULL:
            if not _is_port(colon, end):
                return BROKEN
            end = colon
        elif colon is not NULL and not bare:
            return BROKEN   # it could as well be an address and a port
    if parse_address(text, end - text, packed16) or memcmp(packed16, UNIX_PEER, 16) == 0:
        return BROKEN
    return ADDRESS


cdef bint _is_port(const char* at, const char* end) noexcept:
    """Nothing, or ":" and 1–5 digits, or ":" and an obfuscated port ("_" and letters)."""
    cdef Py_ssize_t size = end - at - 1
    cdef Py_ssize_t i
    if at == end:
        return True
    if at[0] != c":" or size == 0:
        return False
    if at[1] == c"_":
        return size > 1
    for i in range(1, size + 1):
        if not c"0" <= at[i] <= c"9":
            return False
    return size <= 5


# --- elements (RFC 7239 §4) ------------------------------------------------------------------------------------------


cdef bint next_element(const char** at, const char* end, Element* element) except -1:
    """The next element; False behind the last. Empty ones are skipped, white space around ";" is let pass.

    The whole field must follow the grammar, also left of the client: an open quote could swallow what comes after it.
    """
    element.node = element.proto = NULL
    while at[0] < end and (_is_space(at[0][0]) or at[0][0] == c","):
        at[0] += 1
    if at[0] == end:
        return False
    while True:
        while at[0] < end and (_is_space(at[0][0]) or at[0][0] == c";"):
            at[0] += 1
        if at[0] == end or at[0][0] == c",":
            return True
        _read_pair(at, end, element)
        while at[0] < end and _is_space(at[0][0]):
            at[0] += 1
        if at[0] < end and at[0][0] != c"," and at[0][0] != c";":
            raise WireError(400, "forwarded")


cdef int _read_pair(const char** at, const char* end, Element* element) except -1:
    cdef const char* name = at[0]
    cdef const char* value
    cdef Py_ssize_t name_size, value_size
    while at[0] < end and _is_token(at[0][0]):
        at[0] += 1
    name_size = at[0] - name
    if name_size == 0 or at[0] == end or at[0][0] != c"=":
        raise WireError(400, "forwarded")
    value = at[0] + 1
    value_size = _value_size(value, end)
    if value_size <= 0:
        raise WireError(400, "forwarded")
    at[0] = value + value_size
    if name_size == 3 and strncasecmp(name, b"for", 3) == 0:
        if element.node is not NULL:
            raise WireError(400, "forwarded")   # each parameter once
        element.node, element.node_size = value, value_size
    elif name_size == 5 and strncasecmp(name, b"proto", 5) == 0:
        if element.proto is not NULL:
            raise WireError(400, "forwarded")
        element.proto, element.proto_size = value, value_size
    return 0


cdef Py_ssize_t _value_size(const char* value, const char* end) noexcept:
    """The length of a token or quoted string, quotes included; -1 when the quote stays open.

    ":" and "[]" are let pass without quotes, as many proxies write them: they end no value for any reader.
    """
    cdef const char* at = value
    if at == end or at[0] != c'"':
        while at < end and (_is_token(at[0]) or at[0] == c":" or at[0] == c"[" or at[0] == c"]"):
            at += 1
        return at - value
    at += 1
    while at < end and at[0] != c'"':
        at += 2 if at[0] == c"\\" else 1
    return at + 1 - value if at < end else -1


cdef Node element_node(Element* element, unsigned char* packed16) noexcept:
    cdef char plain[NODE_ROOM]
    cdef Py_ssize_t size
    if element.node is NULL:
        return SILENT
    if element.node[0] != c'"':
        return parse_node(element.node, element.node_size, False, packed16)
    size = _unquote(element.node, element.node_size, plain)
    if size > NODE_ROOM:
        return HIDDEN if plain[0] == c"_" else BROKEN
    return parse_node(plain, size, False, packed16)


cdef Proto element_proto(Element* element) noexcept:
    cdef char plain[NODE_ROOM]
    if element.proto is NULL:
        return NO_PROTO
    if element.proto[0] != c'"':
        return _proto(element.proto, element.proto_size)
    return _proto(plain, _unquote(element.proto, element.proto_size, plain))


cdef Py_ssize_t _unquote(const char* quoted, Py_ssize_t size, char* plain) noexcept:
    """The length of what a quoted string means (RFC 9110 §5.6.4); as much of it as there is room for is in `plain`."""
    cdef Py_ssize_t i = 1, length = 0
    while i < size - 1:
        if quoted[i] == c"\\":
            i += 1
        if length < NODE_ROOM:
            plain[length] = quoted[i]
        length += 1
        i += 1
    return length


cdef inline bint _is_space(char c) noexcept:
    return c == c" " or c == c"\t"


cdef inline bint _is_token(char c) noexcept:
    return (
        c"a" <= c <= c"z" or c"A" <= c <= c"Z" or c"0" <= c <= c"9"
        or (c != 0 and strchr(b"!#$%&'*+-.^_`|~", c) is not NULL)
    )
