cdef object freeze_claims(dict claims, Py_ssize_t* values)
cpdef str field_value(object claim)
