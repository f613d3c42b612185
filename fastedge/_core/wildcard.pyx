"""Globs that say what each `*` took: any run of bytes, `/` included, as short as it can be; the last takes the rest.

Never recursive; the work is at most pattern size times text size.
"""


cdef bint matches(
    const char* pattern, Py_ssize_t pattern_size, const char* text, Py_ssize_t text_size, Capture* captures
) noexcept nogil:
    """Whether the whole text fits; what each `*` took is in `captures`.

    Going back to the last `*` alone is enough: an earlier one that took more would only leave less to the later.
    """
    cdef Py_ssize_t i = 0, j = 0
    cdef Py_ssize_t star = -1   # where the last `*` stands in the pattern
    cdef int taken = 0          # how many `*` have begun
    while True:
        if i < pattern_size and pattern[i] == c"*":
            captures[taken].start = j
            if i == pattern_size - 1:
                captures[taken].size = text_size - j
                return True
            captures[taken].size = 0
            star = i
            taken += 1
            i += 1
        elif j == text_size:
            return i == pattern_size
        elif i < pattern_size and pattern[i] == text[j]:
            i += 1
            j += 1
        elif star < 0:
            return False
        else:
            captures[taken - 1].size += 1
            j = captures[taken - 1].start + captures[taken - 1].size
            i = star + 1


def match(bytes pattern not None, bytes text not None):
    """What each `*` of the pattern took from the text, as a list of bytes; None if it does not fit. At most 64 `*`."""
    cdef Capture captures[64]
    cdef Py_ssize_t stars = pattern.count(b"*")
    if stars > 64:
        raise ValueError("more than 64 wildcards")
    if not matches(pattern, len(pattern), text, len(text), captures):
        return None
    return [text[captures[i].start:captures[i].start + captures[i].size] for i in range(stars)]
