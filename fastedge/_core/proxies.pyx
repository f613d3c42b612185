"""The proxies whose word about the client counts, and the client whom they name.

Never reads a forwarding field of a peer that is not trusted, and never guesses: what can be read in two ways is a 400.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp, memcpy

from fastedge._core.address cimport sixteen
from fastedge._core.fields cimport FORWARDED, X_FORWARDED_FOR, X_FORWARDED_PROTO, Fields
from fastedge._core.forwarded cimport (
    ADDRESS, BROKEN, HIDDEN, HTTPS, NO_PROTO, NOTHING, OTHER_PROTO, Element, Node, Proto, element_node, element_proto,
    last_proto, next_element, next_entry, parse_node,
)
from fastedge._core.address import address_text, pack_address
from fastedge.errors import ConfigError, WireError
from fastedge.limits import forwarded_elements_max, trusted_proxies_max

cdef Py_ssize_t ELEMENTS_MAX = forwarded_elements_max
cdef unsigned char[16] UNIX_PEER    # zeros
_MAPPED_FIRST = 0xFFFF << 32
_MAPPED_LAST = _MAPPED_FIRST | 0xFFFFFFFF
_PREFIXES = frozenset(str(length) for length in range(129))


@cython.final
cdef class TrustedProxies:
    """The networks of `trusted_proxies`, as addresses or CIDR; "unix:" is every unix peer. Never changes.

    An IPv6 network holds no IPv4 address: "::/0" trusts none of them. Raises ConfigError for what is no network.
    """

    def __cinit__(self, cidrs=()):
        if isinstance(cidrs, str):
            raise ConfigError("trusted_proxies: a list of networks is expected, not one text")
        self.networks = tuple(cidrs)
        self.trusts_unix = "unix:" in self.networks
        if len(self.networks) > trusted_proxies_max:
            raise ConfigError(f"trusted_proxies: at most {trusted_proxies_max} networks, not {len(self.networks)}")
        self._keep(_merged([span for text in self.networks if text != "unix:" for span in _spans(text)]))

    def __dealloc__(self):
        PyMem_Free(self.ranges)

    @property
    def unix(self):
        """True when unix peers are believed."""
        return self.trusts_unix

    def is_trusted(self, bytes peer):
        """True when a peer with this address (16 bytes, zeros for a unix peer) is believed."""
        return self.trusts(sixteen(peer))

    def client(self, Fields fields not None, bytes peer, bint secure=False):
        """The Python face of `resolve`: the client's address (16 bytes) and whether it came by https.

        Raises WireError(400) where a trusted peer's fields are broken or contradict each other.
        """
        cdef unsigned char found[16]
        self.resolve(fields, sixteen(peer), self.trusts(sixteen(peer)), found, &secure)
        return found[:16], bool(secure)

    def __repr__(self):
        return f"TrustedProxies({list(self.networks)!r})"

    def _keep(self, list spans):
        self.ranges = <Range*> PyMem_Malloc(max(1, len(spans)) * sizeof(Range))
        if self.ranges is NULL:
            raise MemoryError
        for first, last in spans:
            memcpy(self.ranges[self.count].first, PyBytes_AS_STRING(first.to_bytes(16)), 16)
            memcpy(self.ranges[self.count].last, PyBytes_AS_STRING(last.to_bytes(16)), 16)
            self.count += 1

    cdef bint trusts(self, const unsigned char* packed16) noexcept:
        cdef Py_ssize_t low = 0, high = self.count, middle
        if memcmp(packed16, UNIX_PEER, 16) == 0:
            return self.trusts_unix
        while low < high:
            middle = (low + high) >> 1
            if memcmp(self.ranges[middle].last, packed16, 16) < 0:
                low = middle + 1
            else:
                high = middle
        return low < self.count and memcmp(self.ranges[low].first, packed16, 16) <= 0

    cdef int resolve(
        self, Fields fields, const unsigned char* peer16, bint peer_trusted, unsigned char* client16, bint* secure
    ) except -1:
        """The client's address, and whether it came by https: of an untrusted peer what the connection says.

        Walking a trusted peer's field from the right, the client is the first address that is not trusted, else the
        last one seen: the peer itself where there is none. `secure` is the word of the hop that names the client.
        """
        cdef Walk by_list, by_element
        cdef Proto proto = NO_PROTO
        cdef Py_ssize_t i
        cdef int field
        memcpy(client16, peer16, 16)
        if not peer_trusted:
            return 0
        _begin(&by_list)
        _begin(&by_element)
        for i in range(fields.total):
            field = fields.name_at(i).id
            if field == X_FORWARDED_FOR:
                self._walk_list(fields.value_at(i), &by_list)
            elif field == FORWARDED:
                self._walk_elements(fields.value_at(i), &by_element)
            elif field == X_FORWARDED_PROTO:
                proto = last_proto(fields.value_at(i), proto)
        _check_walk(&by_list)
        _check_walk(&by_element)
        _choose_client(&by_list, &by_element, client16)
        return _choose_proto(proto, by_element.proto, secure)

    cdef int _walk_list(self, bytes line, Walk* walk) except -1:
        cdef unsigned char packed[16]
        cdef const char* at = PyBytes_AS_STRING(line)
        cdef const char* end = at + len(line)
        cdef const char* entry
        cdef Py_ssize_t size
        cdef Node node
        while next_entry(&at, end, &entry, &size):
            node = parse_node(entry, size, True, packed)
            self._step(walk, BROKEN if node == HIDDEN else node, packed, NO_PROTO)
        return 0

    cdef int _walk_elements(self, bytes line, Walk* walk) except -1:
        cdef unsigned char packed[16]
        cdef const char* at = PyBytes_AS_STRING(line)
        cdef const char* end = at + len(line)
        cdef Element element
        while next_element(&at, end, &element):
            self._step(walk, element_node(&element, packed), packed, element_proto(&element))
        return 0

    cdef int _step(self, Walk* walk, Node node, const unsigned char* packed16, Proto proto) noexcept:
        """Takes elements from left to right and leaves what a walk from right to left would find.

        Whatever is not a trusted address would end that walk, so that all to its left is forgotten.
        """
        if walk.end != NOTHING and node == ADDRESS and self.trusts(packed16):
            walk.walked += 1
            if walk.named:
                return 0
        else:
            walk.end, walk.proto, walk.walked = node, proto, 1
        walk.named = node == ADDRESS
        if walk.named:
            memcpy(walk.client, packed16, 16)
        return 0


# --- the walk --------------------------------------------------------------------------------------------------------


cdef inline void _begin(Walk* walk) noexcept:
    walk.end, walk.proto, walk.named, walk.walked = NOTHING, NO_PROTO, False, 0


cdef int _check_walk(Walk* walk) except -1:
    if walk.end == BROKEN:
        raise WireError(400, "forwarded_for")
    if walk.walked > ELEMENTS_MAX:
        raise WireError(400, "forwarded_elements")
    return 0


cdef int _choose_client(Walk* by_list, Walk* by_element, unsigned char* client16) except -1:
    """Both fields must name one client. An element without for= names nobody, so it contradicts nobody."""
    cdef Walk* chosen = by_element if by_list.end == NOTHING else by_list
    cdef const unsigned char* other = client16
    if by_element.named:
        other = by_element.client
    if by_list.end != NOTHING and by_element.end in (HIDDEN, ADDRESS) and memcmp(by_list.client, other, 16):
        raise WireError(400, "forwarding_contradiction")
    if chosen.named:
        memcpy(client16, chosen.client, 16)
    return 0


cdef int _choose_proto(Proto by_list, Proto by_element, bint* secure) except -1:
    if by_list == OTHER_PROTO or by_element == OTHER_PROTO:
        raise WireError(400, "forwarded_proto")
    if by_list and by_element and by_list != by_element:
        raise WireError(400, "forwarding_contradiction")
    if by_list or by_element:
        secure[0] = (by_list or by_element) == HTTPS
    return 0


# --- networks --------------------------------------------------------------------------------------------------------


def _spans(text):
    """The addresses of one entry as (first, last), numbers; two spans where IPv4's block is cut out."""
    number, prefix, bits = _read_network(text)
    host_bits = bits - prefix
    first = number >> host_bits << host_bits
    last = first | (1 << host_bits) - 1
    if first != number:
        right = address_text(first.to_bytes(16))
        length = prefix - 96 if bits == 128 and "." in right else prefix
        raise ConfigError(f"trusted_proxies: {text!r} has bits set behind its prefix; the network is '{right}/{length}'")
    if first < _MAPPED_FIRST and last >= _MAPPED_LAST:
        return [(first, _MAPPED_FIRST - 1)] + ([(_MAPPED_LAST + 1, last)] if last > _MAPPED_LAST else [])
    return [(first, last)]


def _read_network(text):
    """(address, prefix, bits of the family); without a prefix it is one address."""
    address, slash, length = text.partition("/") if isinstance(text, str) else ("", "", "")
    bits = 128 if ":" in address else 32
    prefix = int(length) if length in _PREFIXES else bits + bool(slash)
    try:
        number = int.from_bytes(pack_address(address))
    except ValueError:
        prefix = bits + 1
    if prefix > bits:
        raise ConfigError(
            f"trusted_proxies: {text!r} is not a network such as '10.0.0.0/8' or '2001:db8::/32', nor 'unix:'"
        )
    return number, prefix, bits


def _merged(spans):
    """The same addresses as sorted and disjoint spans."""
    merged = []
    for first, last in sorted(spans):
        if merged and first <= merged[len(merged) - 1][1] + 1:
            first, before = merged.pop()
            last = max(last, before)
        merged.append((first, last))
    return merged
