from libc.stdint cimport uint32_t

# What a step of a template does.
cdef enum:
    STATIC      # a span of the page
    VALUE       # a value, if there is one; then on at `jump`
    JUMP        # on at `jump`
    TEST        # on at `jump` if it does not hold
    ATTEMPT     # from here on, what fails goes back to here and on at `jump`

cdef struct Step:
    int kind
    int number          # of a span, a value, a test, an attempt
    int jump
    int attempt         # of a value: the attempt that fails without it, or -1
    int context         # how a value is written
    int wrapping        # what stands around a value, or -1

cdef struct Span:
    int start
    int end
    uint32_t crc
    uint32_t operator

cdef class Template:
    cdef readonly bytes page
    cdef readonly tuple inputs
    cdef readonly tuple problems
    cdef readonly Py_ssize_t cost_bytes
    cdef bint ascii
    cdef int size, span_count, attempt_count
    cdef Step* steps
    cdef Span* spans
    cdef int* numbers           # of a rendering's segments: which span each is, or -1
    cdef tuple views            # of the spans
    cdef tuple deflates         # of the spans; None until they are compressed
    cdef tuple wrappings
    cdef tuple tests

    cdef list needed(self, list values)
    cdef list walk(self, tuple values, list refused, bint fragments)
    cdef tuple pieces(self, tuple values, list refused)
    cdef bytes joined(self, tuple values, list refused)
    cdef tuple gzipped(self, tuple values, list refused)
    cdef int compress_spans(self) except -1
    cdef bytes _written(self, const Step* step, object value)
    cdef int _fill(self, list steps) except -1


cdef object PENDING     # in place of a value that has not been asked for
