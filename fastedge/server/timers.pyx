"""Time-outs by the hundred thousand: one queue for each span of time, so that arming and disarming are a few pointers.

All timers of a queue share its span, therefore the queue is always in the order in which they fall due.
"""

cimport cython


@cython.final
cdef class Timer:
    """One time-out of one owner; armed again it forgets what it was armed for. `owner.on_timeout(kind)` is called once."""

    def __init__(self, owner):
        self.owner = owner

    cdef int arm(self, TimerQueue queue, int kind, long long now_us) except -1:
        cdef Timer last = queue.end.before
        if self.after is not None:
            if last is self:
                self.due_us = now_us + queue.span_us
                self.kind = kind
                return 0
            self.disarm()
            last = queue.end.before
        self.kind = kind
        self.due_us = now_us + queue.span_us
        self.before, self.after = last, queue.end
        last.after = self
        queue.end.before = self
        return 0

    cdef int disarm(self) except -1:
        if self.after is not None:
            self.before.after = self.after
            self.after.before = self.before
            self.before = self.after = None
        return 0


@cython.final
cdef class TimerQueue:
    def __cinit__(self, long long span_us):
        self.span_us = span_us
        self.end = Timer(None)
        self.end.before = self.end.after = self.end


@cython.final
cdef class Timers:
    """A worker's queues. `expire(now_us)` is called by the shell's tick."""

    def __cinit__(self):
        self.queues = {}

    cdef TimerQueue queue(self, long long milliseconds):
        found = self.queues.get(milliseconds)
        if found is None:
            found = self.queues[milliseconds] = TimerQueue(milliseconds * 1000)
        return <TimerQueue> found

    cdef int expire(self, long long now_us) except -1:
        cdef TimerQueue queue
        cdef Timer timer
        for queue in list(self.queues.values()):
            while queue.end.after is not queue.end and queue.end.after.due_us <= now_us:
                timer = queue.end.after
                timer.disarm()
                timer.owner.on_timeout(timer.kind)
        return 0

    # --- Python face ----------------------------------------------------------------------------------------------

    def arm(self, Timer timer, long long milliseconds, int kind, long long now_us):
        timer.arm(self.queue(milliseconds), kind, now_us)

    def disarm(self, Timer timer):
        timer.disarm()

    def tick(self, long long now_us):
        self.expire(now_us)

    def armed(self):
        """How many time-outs are pending: for tests, and for those who look for a leak."""
        cdef TimerQueue queue
        cdef Timer timer
        cdef Py_ssize_t count = 0
        for queue in self.queues.values():
            timer = queue.end.after
            while timer is not queue.end:
                count += 1
                timer = timer.after
        return count
