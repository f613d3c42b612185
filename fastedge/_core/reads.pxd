cdef class Reads:
    cdef int stage          # whose hook runs, counted from 1; 0: nobody is watched
    cdef list what          # FieldName: a field; bytes: a cookie's name; str: a fact of the context
    cdef list by            # the stage that read it, place for place

    cdef int note(self, object what) except -1
