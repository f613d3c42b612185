cdef class QueryRules:
    cdef tuple patterns         # of Pattern, or None: every parameter stays
    cdef bint keeps             # what fits a pattern stays, not what fits none
    cdef bint sorts

    cdef bytes normal(self, bytes target)
    cdef bytes reduced(self, bytes target, Py_ssize_t mark)
    cdef bint stays(self, const char* at, const char* stop) except -1


cdef bytes raw_values(bytes target, bytes name)
