from fastedge._core.fields cimport Fields

cdef enum Acceptance:
    UNNAMED
    ACCEPTED
    REFUSED         # q=0
    UNCLEAR         # it cannot be read


cdef bint accepts_gzip(Fields fields) noexcept
cdef Acceptance weigh(const char* at, const char* end) noexcept


cdef inline const char* pass_blanks(const char* at, const char* end) noexcept:
    while at < end and (at[0] == c" " or at[0] == c"\t"):
        at += 1
    return at
