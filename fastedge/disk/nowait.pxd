"""System calls on files that fail rather than wait for a disk: for the loop. Where the kernel has none, they always fail."""

cdef extern from *:
    """
    #include <errno.h>
    #include <fcntl.h>
    #include <stdint.h>
    #include <sys/syscall.h>
    #include <sys/uio.h>
    #include <unistd.h>
    #ifndef RWF_NOWAIT
    #define RWF_NOWAIT 8
    #endif
    /* openat2(2) with RESOLVE_CACHED, Linux 5.12: only what the kernel has in memory of the path. */
    static inline int fe_open_nowait(const char* path) {
        struct { uint64_t flags, mode, resolve; } how = {O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0, 0x20};
        return (int) syscall(437, AT_FDCWD, path, &how, sizeof(how));
    }
    /* What there is in memory of a range, from its beginning; -1 for nothing. */
    static inline Py_ssize_t fe_read_nowait(int fd, void* buffer, size_t count, long long at) {
        struct iovec piece = {buffer, count};
        return preadv2(fd, &piece, 1, at, RWF_NOWAIT);
    }
    /* Pages of a range that are in memory: cachestat(2), Linux 6.5; -1 where the kernel does not say. */
    static inline long long fe_pages_held(int fd, long long at, long long count) {
        struct { uint64_t at, count; } range = {at, count};
        struct { uint64_t held, dirty, writeback, evicted, recently_evicted; } stat;
        return syscall(451, fd, &range, &stat, 0) ? -1 : (long long) stat.held;
    }
    """
    int open_nowait "fe_open_nowait"(const char* path) noexcept nogil
    Py_ssize_t read_nowait "fe_read_nowait"(int fd, void* buffer, size_t count, long long at) noexcept nogil
    long long pages_held "fe_pages_held"(int fd, long long at, long long count) noexcept nogil
