cdef class Timer:
    cdef Timer before
    cdef Timer after
    cdef long long due_us
    cdef object owner       # has on_timeout(kind)
    cdef int kind

    cdef int arm(self, TimerQueue queue, int kind, long long now_us) except -1
    cdef int disarm(self) except -1


cdef class TimerQueue:
    cdef Timer end          # the ring's fixed point
    cdef readonly long long span_us


cdef class Timers:
    cdef dict queues

    cdef TimerQueue queue(self, long long milliseconds)
    cdef int expire(self, long long now_us) except -1
