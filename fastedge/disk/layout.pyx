"""The layout of a record: a head, two meta blocks of which the newest whole one counts, the body.

Two blocks, so that a validation can renew the meta beside a body that stays; each has its checksum, so that a torn one is
none. Numbers are in the byte order of the machine: another one finds no record of its own here.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy, memset

from fastedge._core.stored cimport Stored
from fastedge.disk.checksum cimport Hash128, checksum
from fastedge.disk.checksum import checksum_of

cdef enum:
    LAYOUT = 1
    BLOCK_GRAIN = 512
    BLOCK_SPARE = 256       # for what a validation may add to the head
    BLOCK_BYTES_MAX = 1 << 20

globals().update(RECORD_HEAD_BYTES=RECORD_HEAD_BYTES)


def record_start(Stored stored not None, uint64_t stamp, uint64_t boot, tuple body=None):
    """The bytes of a new record up to its body, and how long each meta block is; `body` is the checksum of a body that is
    complete already."""
    cdef RecordHead head
    cdef Hash128 check
    cdef Py_ssize_t block_bytes = _meta_bytes(stored) + BLOCK_SPARE + BLOCK_GRAIN - 1
    block_bytes -= block_bytes % BLOCK_GRAIN
    if block_bytes > BLOCK_BYTES_MAX:
        raise ValueError(f"a head and a key of {block_bytes} bytes are no record")
    memset(&head, 0, sizeof(head))
    memcpy(head.magic, b"fedgedr\n", 8)
    head.layout, head.block_bytes, head.stamp, head.high, head.low = LAYOUT, block_bytes, stamp, stored.high, stored.low
    check = checksum(&head, sizeof(head) - sizeof(head.checksum))
    head.checksum = check.low
    block = record_block(stored, block_bytes, 1, boot, body)
    return (<char*> &head)[:sizeof(head)] + block.ljust(2 * block_bytes, b"\0"), block_bytes


def record_block(Stored stored not None, Py_ssize_t block_bytes, uint64_t sequence, uint64_t boot, tuple body):
    """A meta block; `body` is the checksum of a body that is complete. None: it is longer than `block_bytes`."""
    cdef Meta* meta
    cdef Hash128 check
    cdef Py_ssize_t size = _meta_bytes(stored)
    if size > block_bytes:
        return None
    block = PyBytes_FromStringAndSize(NULL, size)
    meta = <Meta*> PyBytes_AS_STRING(block)
    memset(meta, 0, sizeof(Meta))
    meta.sequence, meta.length, meta.boot, meta.born = sequence, stored.length, boot, stored.born
    meta.received_s, meta.received_us = stored.received_s, stored.received_us
    meta.initial_age_s, meta.lifetime_s = stored.initial_age_s, stored.lifetime_s
    meta.stale_while_revalidate_s, meta.stale_if_error_s = stored.stale_while_revalidate_s, stored.stale_if_error_s
    meta.flags, meta.status, meta.url_at, meta.url_size = stored.flags, stored.status, stored.url_at, stored.url_size
    if body is not None:
        meta.body_high, meta.body_low = body
        meta.is_complete = 1
    _put_texts(stored, meta)
    check = checksum(<char*> meta + 16, size - 16)
    meta.check_high, meta.check_low = check.high, check.low
    return block


cdef Py_ssize_t _meta_bytes(Stored stored) except -1:
    return (
        sizeof(Meta) + stored.key_size + len(stored.head)
        + 8 * stored.names_total + (0 if stored.vary is None else len(stored.vary))
    )


cdef int _put_texts(Stored stored, Meta* meta) except -1:
    cdef char* at = <char*> meta + sizeof(Meta)
    cdef bytes key = stored.key, vary = b"" if stored.vary is None else stored.vary, names = stored.names
    meta.key_bytes, meta.head_bytes, meta.names_bytes = len(key), len(stored.head), len(names)
    meta.vary_bytes = NO_VARY if stored.vary is None else len(vary)
    for text in (key, vary, stored.head, names):
        memcpy(at, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        at += PyBytes_GET_SIZE(text)
    return 0


cdef bint is_record_head(const RecordHead* head, Py_ssize_t size) noexcept nogil:
    return (
        size >= RECORD_HEAD_BYTES and memcmp(head.magic, b"fedgedr\n", 8) == 0 and head.layout == LAYOUT
        and head.checksum == checksum(head, sizeof(RecordHead) - sizeof(head.checksum)).low
        and sizeof(Meta) <= head.block_bytes <= BLOCK_BYTES_MAX
    )


cdef Meta* newest_meta(char* blocks, Py_ssize_t block_bytes) noexcept nogil:
    """The whole block with the greater number, or NULL. A complete record's older block says that it was not, or is struck out."""
    cdef Meta* first = <Meta*> blocks
    cdef Meta* second = <Meta*> (blocks + block_bytes)
    cdef bint first_is_whole = _is_whole(first, block_bytes), second_is_whole = _is_whole(second, block_bytes)
    if first_is_whole and second_is_whole:
        return first if first.sequence > second.sequence else second
    return first if first_is_whole else second if second_is_whole else NULL


cdef bint _is_whole(const Meta* meta, Py_ssize_t block_bytes) noexcept nogil:
    cdef uint64_t texts = <uint64_t> meta.key_bytes + meta.head_bytes + meta.names_bytes
    cdef Hash128 check
    if meta.vary_bytes != NO_VARY:
        texts += meta.vary_bytes
    if (
        sizeof(Meta) + texts > <uint64_t> block_bytes or meta.names_bytes % 8
        or <uint64_t> meta.url_at + meta.url_size > meta.key_bytes
    ):
        return False
    check = checksum(<const char*> meta + 16, sizeof(Meta) + texts - 16)
    return check.high == meta.check_high and check.low == meta.check_low


def vary_hash(bytes vary):
    """A variant as a number; 0 is that of a response without Vary."""
    return 0 if vary is None else checksum_of(vary)[1] or 1
