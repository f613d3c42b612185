from fastedge.disk.body cimport DiskBody


cdef class FileReader:
    cdef DiskBody body
    cdef object on_done         # on_done(content): all of it; None: the file is not what it was, or no thread is free
    cdef list pieces
    cdef long long size

    cdef int start(self) except -1
    cdef int cancel(self) except -1
