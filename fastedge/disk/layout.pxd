from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef enum:
    RECORD_HEAD_BYTES = 64
    NO_VARY = 0xFFFFFFFF            # as vary_bytes

cdef struct RecordHead:             # the first bytes of a file; never change
    char magic[8]
    uint32_t layout
    uint32_t block_bytes            # of each of the two meta blocks that follow
    uint64_t stamp                  # of the fetch that wrote it
    uint64_t high, low              # XXH3-128 of the key
    uint64_t unused[2]
    uint64_t checksum               # of all before

cdef struct Meta:                   # the beginning of a block; key, vary, head and names follow
    uint64_t check_high, check_low  # XXH3-128 of the rest of what the block holds
    uint64_t sequence               # the greater one counts
    int64_t length                  # of the body; -1 while it is not known
    uint64_t body_high, body_low    # XXH3-128 of the body, once it is complete
    double received_s
    int64_t received_us
    uint64_t boot                   # of which boot of the host received_us is a time
    uint64_t born
    float initial_age_s, lifetime_s, stale_while_revalidate_s, stale_if_error_s
    uint32_t flags
    int32_t status
    uint32_t key_bytes, vary_bytes, head_bytes, names_bytes
    uint32_t url_at, url_size
    uint32_t is_complete
    uint32_t unused


# Whether a file that begins so is a record.
cdef bint is_record_head(const RecordHead* head, Py_ssize_t size) noexcept nogil
# Of two blocks the whole one with the greater number, or NULL.
cdef Meta* newest_meta(char* blocks, Py_ssize_t block_bytes) noexcept nogil
