from fastedge._core.fields cimport Fields
from fastedge._core.forwarded cimport Node, Proto


cdef struct Range:
    unsigned char first[16]
    unsigned char last[16]

cdef struct Walk:
    Node end                    # where the walk from the right ends
    Proto proto                 # what that element says
    bint named                  # client is known
    Py_ssize_t walked           # elements from the end to the right
    unsigned char client[16]


# A peer is 16 bytes, a unix peer zeros.
cdef class TrustedProxies:
    cdef bint trusts_unix       # "unix" is a macro of gcc's
    cdef readonly tuple networks
    cdef Range* ranges          # sorted, disjoint
    cdef Py_ssize_t count

    cdef bint trusts(self, const unsigned char* packed16) noexcept
    # Of an untrusted peer nothing is read. `secure` comes in as the connection has it; a trusted peer may say otherwise.
    cdef int resolve(
        self, Fields fields, const unsigned char* peer16, bint peer_trusted, unsigned char* client16, bint* secure
    ) except -1
    cdef int _walk_list(self, bytes line, Walk* walk) except -1
    cdef int _walk_elements(self, bytes line, Walk* walk) except -1
    cdef int _step(self, Walk* walk, Node node, const unsigned char* packed16, Proto proto) noexcept
