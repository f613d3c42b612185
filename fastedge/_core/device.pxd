from fastedge._core.message cimport Context, Request

cdef enum Device:
    UNKNOWN     # nobody has asked yet
    BOT
    MOBILE
    TABLET
    DESKTOP


cdef int device_of(Request request, Context ctx) except -1
