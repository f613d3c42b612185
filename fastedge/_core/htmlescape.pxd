# How a value is written where it goes.
cdef enum:
    TEXT, QUOTED, URL, LOCAL_URL, URL_PART, RAW, NOTHING

cdef bytes escape(object value, int context, bint ascii)
