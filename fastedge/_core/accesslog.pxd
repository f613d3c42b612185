from fastedge._core.message cimport Context, Request

# What the shell measured of one exchange.
cdef struct Measured:
    int status              # 0: the client left before an answer began
    long long bytes_in      # on the client's side, heads included
    long long bytes_out
    long long duration_us
    bint origin_asked       # a request was sent, or could not be
    int origin_status       # 0: the origin did not answer
    long long origin_us     # to the first byte of its answer; negative: none came


cdef class LogBuffer:
    cdef char* data
    cdef readonly Py_ssize_t size       # bytes gathered
    cdef readonly Py_ssize_t lines      # lines gathered
    cdef readonly long long dropped     # lines that had no room, since the buffer was made
    cdef Py_ssize_t room
    cdef bytes tail                     # ,"worker":N
    cdef long long second               # that `stamp` stands for
    cdef char stamp[20]

    # One line for an exchange. `error` is one token (RFC 9209 §2.3, or ours), `detail` free text; both may be None.
    cdef int line(self, Request request, Context ctx, str site, str error, str detail, const Measured* measured) except -1
    # One line for bytes that never became a request. `client` is packed as in Context.
    cdef int refusal(self, double now, const unsigned char* client, str reason, bint secure, const Measured* measured) except -1
    cdef bytes take(self)
    cdef char* _begin(self, double now, const unsigned char* client) except? NULL
    cdef char* _end(self, char* at, bint cut) noexcept
    cdef char* _date(self, char* at, double now) noexcept
