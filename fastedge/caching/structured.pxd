cdef enum ItemKind:
    BOOLEAN
    INTEGER
    STRING
    ANOTHER         # well-formed, but nothing that a field of caching holds

cdef struct Member:
    const char* key         # in a dictionary
    Py_ssize_t key_size
    ItemKind kind
    long long number        # of an integer; 0 or 1 of a boolean
    const char* at          # of a string: between its quotes, escapes as they stand
    Py_ssize_t size

cdef struct Reader:
    const char* at
    const char* end
    bint begun


cdef Reader reader_of(bytes value) noexcept
cdef int next_in_dictionary(Reader* reader, Member* member) noexcept
cdef int next_in_list(Reader* reader, Member* member) noexcept
cdef bytes text_of(Member* member)
cdef list strings_of(bytes value)
cdef bint is_token_char(char c) noexcept
cdef bint is_token(bytes text) noexcept
