from fastedge._core.message cimport Context, Request


cdef class Reserved:
    cdef set texts                  # names of fields,
    cdef set folded                 # and with "-" for "_"
    cdef bint spelled_low           # one of them has a "_" itself
    cdef unsigned long long lengths # bit n: one of them has n characters
    cdef object parameters          # QueryRules that takes them out, or None

    cdef int enforce(self, Request request, Context ctx) except -1
    cdef int _hide_parameters(self, Request request, Context ctx) except -1
    cdef int _drop_forged(self, Request request, Context ctx) except -1
