"""XXH3-128 as C calls it, without the interpreter's lock: it finds damage, not malice. The functions are those of xxhash's
extension module, which exports them; they are checked against its Python face when this module is imported."""

cimport cython

import xxhash
import xxhash._xxhash as _extension

cdef extern from "dlfcn.h" nogil:
    void* dlopen(const char*, int)
    void* dlsym(void*, const char*)
    enum: RTLD_LAZY

cdef enum:
    LARGE = 8192    # bytes from which on the interpreter's lock is given up meanwhile

ctypedef Hash128 (*Whole)(const void*, size_t) noexcept nogil
ctypedef void* (*Create)() noexcept nogil
ctypedef int (*Reset)(void*) noexcept nogil
ctypedef int (*Update)(void*, const void*, size_t) noexcept nogil
ctypedef Hash128 (*Digest)(const void*) noexcept nogil
ctypedef int (*Free)(void*) noexcept nogil

cdef Whole _whole
cdef Create _create
cdef Reset _reset
cdef Update _update
cdef Digest _digest
cdef Free _free


cdef Hash128 checksum(const void* data, size_t size) noexcept nogil:
    return _whole(data, size)


def checksum_of(data):
    """The two halves, high and low, of the XXH3-128 of some bytes."""
    cdef const unsigned char[::1] view = data
    cdef const unsigned char* at = &view[0] if view.shape[0] else NULL
    cdef Py_ssize_t size = view.shape[0]
    cdef Hash128 value
    if size < LARGE:
        value = _whole(at, size)
    else:
        with nogil:
            value = _whole(at, size)
    return value.high, value.low


@cython.final
cdef class Checksum:
    """The XXH3-128 of bytes that come in pieces; for one thread at a time."""

    def __cinit__(self):
        self.state = new_state()
        if self.state is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.state is not NULL:
            free_state(self.state)

    def update(self, bytes data not None):
        """The next piece; the interpreter's lock is free meanwhile if the piece is large."""
        cdef const char* at = data
        cdef Py_ssize_t size = len(data)
        if size < LARGE:
            update_state(self.state, at, size)
            return
        with nogil:
            update_state(self.state, at, size)

    def digest(self):
        """The two halves, high and low, so far."""
        cdef Hash128 value = digest_state(self.state)
        return value.high, value.low


cdef void* new_state() noexcept nogil:
    """NULL when there is no memory."""
    cdef void* state = _create()
    if state is not NULL:
        _reset(state)
    return state


cdef int update_state(void* state, const void* data, size_t size) noexcept nogil:
    return _update(state, data, size)


cdef Hash128 digest_state(void* state) noexcept nogil:
    return _digest(state)


cdef void free_state(void* state) noexcept nogil:
    _free(state)


cdef void* _symbol(void* library, const char* name) except NULL:
    cdef void* found = dlsym(library, name)
    if found is NULL:
        raise ImportError(f"xxhash {xxhash.VERSION} does not export {name.decode()}: another build of it is needed")
    return found


cdef int _load() except -1:
    global _whole, _create, _reset, _update, _digest, _free
    cdef void* library = dlopen(_extension.__file__.encode(), RTLD_LAZY)
    if library is NULL:
        raise ImportError(f"{_extension.__file__} cannot be opened as a library")
    _whole = <Whole> _symbol(library, b"XXH3_128bits")
    _create = <Create> _symbol(library, b"XXH3_createState")
    _reset = <Reset> _symbol(library, b"XXH3_128bits_reset")
    _update = <Update> _symbol(library, b"XXH3_128bits_update")
    _digest = <Digest> _symbol(library, b"XXH3_128bits_digest")
    _free = <Free> _symbol(library, b"XXH3_freeState")
    sample = bytes(range(256)) * 5
    pieces = Checksum()
    pieces.update(sample[:300])
    pieces.update(sample[300:])
    high, low = checksum_of(sample)
    if not xxhash.xxh3_128_intdigest(sample) == high << 64 | low or pieces.digest() != (high, low):
        raise ImportError(f"xxhash {xxhash.VERSION} does not compute XXH3-128 as its own Python face does")
    return 0


_load()
