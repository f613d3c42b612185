from fastedge._core.fields cimport Fields

cdef list conditions_of(bytes etag, bytes last_modified)
cdef Fields freshened(Fields stored, Fields update)
cdef bint selects(bytes etag, bytes last_modified, Fields update) except -1
cdef bint agrees(bytes etag, bytes last_modified, long long length, Fields head) except -1
