from fastedge._core.fields cimport Fields


cdef enum Node:
    NOTHING = 0     # no element yet
    SILENT          # an element without for=
    HIDDEN          # "unknown", or an obfuscated identifier
    ADDRESS
    BROKEN          # neither an address nor hidden

cdef enum Proto:
    NO_PROTO = 0
    HTTP
    HTTPS
    OTHER_PROTO

cdef struct Element:
    # Raw values, quotes included; NULL where the parameter is missing.
    const char* node
    Py_ssize_t node_size
    const char* proto
    Py_ssize_t proto_size


# What an origin is told. `peer_text` is text_of's, `peer_node` node_of's, `hop` hop_of's: a connection makes them once.
cdef bytes text_of(const unsigned char* packed16)
cdef bytes node_of(const unsigned char* packed16)
cdef bytes next_forwarded_for(Fields fields, bint peer_trusted, bytes peer_text)
cdef bytes hop_of(bytes peer_node, bytes authority, bint secure)
cdef bytes next_forwarded(Fields fields, bint peer_trusted, bytes hop)

cdef Proto last_proto(bytes line, Proto before) noexcept
cdef bint next_entry(const char** at, const char* end, const char** entry, Py_ssize_t* size) noexcept
cdef Node parse_node(const char* text, Py_ssize_t size, bint bare, unsigned char* packed16) noexcept
cdef bint next_element(const char** at, const char* end, Element* element) except -1
cdef Node element_node(Element* element, unsigned char* packed16) noexcept
cdef Proto element_proto(Element* element) noexcept
