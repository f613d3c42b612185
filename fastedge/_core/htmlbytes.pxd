"""Runs of bytes in a page, several at a time. Inlined where it is used; never looks past the NUL behind the page."""

from libc.stdint cimport uint8_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    static inline int fe_find(const unsigned char *page, int c, int at, int size) {
        const unsigned char *found;
    #ifdef __SSE2__
        if (at <= size - 16) {      /* nearly always it is near, and a call costs more than a look */
            __m128i x = _mm_loadu_si128((const __m128i *) (page + at));
            unsigned equal = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8((char) c)));
            if (equal) return at + __builtin_ctz(equal);
            at += 16;
        }
    #endif
        if (at >= size) return size;
        found = (const unsigned char *) memchr(page + at, c, (size_t) (size - at));
        return found ? (int) (found - page) : size;
    }

    static inline int fe_search(const unsigned char *page, const char *text, int length, int at, int size) {
        const unsigned char *found;
        if (at >= size) return size;
        found = (const unsigned char *) memmem(page + at, (size_t) (size - at), text, (size_t) length);
        return found ? (int) (found - page) : size;
    }

    /* Eight bytes at once, without a branch for each: where a tag's name, a letter first, ends, and the name in lower case.
       A byte up to a space, '>' or '/' may end it; which one does, the caller looks at. 8: none of them. */
    #define FE_ALL(c) (0x0101010101010101u * (uint64_t) (c))
    #define FE_IS(x, c) ((((x) ^ FE_ALL(c)) - FE_ALL(1)) & ~((x) ^ FE_ALL(c)) & FE_ALL(0x80))
    #define FE_UP_TO_A_SPACE(x) (((x) - FE_ALL(0x21)) & ~(x) & FE_ALL(0x80))
    #define FE_FIRST(ends) ((ends) ? __builtin_ctzll(ends) >> 3 : 8)
    static inline uint64_t fe_first(uint64_t x, int size) {
        return x & (~(uint64_t) 0 >> (64 - 8 * size));
    }
    static inline int fe_name(const unsigned char *at, uint64_t *lower) {
        uint64_t x, low, upper;
        int size;
        memcpy(&x, at, 8);
        size = FE_FIRST(FE_UP_TO_A_SPACE(x) | FE_IS(x, '>') | FE_IS(x, '/'));
        x = fe_first(x, size);
        low = x & FE_ALL(0x7F);
        upper = (low + FE_ALL(0x80 - 'A')) & ~(low + FE_ALL(0x7F - 'Z')) & ~x & FE_ALL(0x80);
        *lower = x | (upper >> 2);
        return size;
    }
    static inline int fe_starts(const unsigned char *at, uint64_t key, int size) {
        uint64_t x;
        memcpy(&x, at, 8);
        return fe_first(x, size) == key;
    }

    /* The same for an attribute's name, which '=' may end too: of sixteen bytes where the machine can. */
    static inline int fe_attribute_name(const unsigned char *at) {
    #ifdef __SSE2__
        __m128i x = _mm_loadu_si128((const __m128i *) at);
        __m128i ends = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(' ')), x);
        ends = _mm_or_si128(ends, _mm_cmpeq_epi8(x, _mm_set1_epi8('=')));
        ends = _mm_or_si128(ends, _mm_cmpeq_epi8(x, _mm_set1_epi8('>')));
        ends = _mm_or_si128(ends, _mm_cmpeq_epi8(x, _mm_set1_epi8('/')));
        return __builtin_ctz((unsigned) _mm_movemask_epi8(ends) | 0x10000);
    #else
        uint64_t x;
        memcpy(&x, at, 8);
        return FE_FIRST(FE_UP_TO_A_SPACE(x) | FE_IS(x, '>') | FE_IS(x, '/') | FE_IS(x, '='));
    #endif
    }
    """
    int fe_find(const uint8_t* page, int c, int at, int size) noexcept nogil       # `size` where there is none
    int fe_search(const uint8_t* page, const char* text, int length, int at, int size) noexcept nogil
    int fe_name(const uint8_t* at, uint64_t* lower) noexcept nogil                 # looks at 8 bytes
    int fe_attribute_name(const uint8_t* at) noexcept nogil                        # at 16
    bint fe_starts(const uint8_t* at, uint64_t key, int size) noexcept nogil       # with a name of 1 to 8 bytes; at 8
