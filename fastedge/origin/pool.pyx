"""The book-keeping of one origin: which connection a fetch gets, when another is opened, which server is left alone.

It opens and closes nothing: it says what to open. A fetch that finds no idle connection waits; the oldest waiting fetch
gets whatever connection is ready first. Time is an argument.
"""

cimport cython

from collections import deque

cdef enum:
    SUSPECT = 1 << 24


@cython.final
cdef class Server:
    """One address of an origin: its idle connections, how busy it is, and whether its breaker is open."""

    def __init__(self, str url, address=None, bytes authority=b""):
        self.url = url
        self.address = address
        self.authority = authority
        self.idle = []

    cdef bint allows(self, long long now_us) noexcept:
        """An open breaker that has waited long enough lets one trial through at a time."""
        return self.open_until_us == 0 or (now_us >= self.open_until_us and self.busy + self.connecting == 0)

    cdef int load(self, int used, long long now_us) noexcept:
        """`used`, with a server that has just failed behind all others: it is idle because it answers nobody."""
        return used + SUSPECT if now_us < self.suspect_until_us else used

    @property
    def connections(self):
        """How many are open, idle ones included."""
        return self.busy + len(self.idle)

    def __repr__(self):
        state = "open" if self.open_until_us else "closed"
        return f"<{self.url} busy={self.busy} idle={len(self.idle)} connecting={self.connecting} breaker={state}>"


@cython.final
cdef class Pool(OriginState):
    """Connections of one worker to one origin, `connections_max` in all and `queue_max` fetches waiting for one."""

    def __init__(
        self, str name, servers, *, int connections_max, int queue_max, int breaker_failures, long long breaker_open_ms,
        bint may_retry=True, host=None, options=None,
    ):
        self.name = name
        self.options = options
        self.servers = list(servers)
        self.connections_max = connections_max
        self.queue_max = queue_max
        self.breaker_failures = breaker_failures
        self.breaker_open_us = breaker_open_ms * 1000
        self.may_retry = may_retry
        self.host = host
        self.waiting = deque()

    cdef bytes host_for(self, bytes authority):
        """The Host field to send; None when each server gets its own name."""
        if self.host is None:
            return authority or None
        return self.host or None

    cdef object checkout(self, long long now_us):
        """An idle connection of the least busy server that has one, now busy; None when there is none."""
        cdef Server server, best = None
        for server in self.servers:
            if server.idle and server.allows(now_us) and (
                best is None or server.load(server.busy, now_us) < best.load(best.busy, now_us)
            ):
                best = server
        if best is None:
            return None
        if len(self.servers) > 1 and self._has_quieter(best, now_us):
            return None
        return self.take_idle(best)

    cdef object take_idle(self, Server server):
        """The connection of `server` that was used last, now busy; None when there is none."""
        if not server.idle:
            return None
        server.busy += 1
        return server.idle.pop()

    cdef bint _has_quieter(self, Server best, long long now_us):
        """Whether opening a connection elsewhere would spread the load better than reusing one to `best`."""
        cdef Server server
        if self.connections() >= self.connections_max:
            return False
        for server in self.servers:
            if server.load(server.busy + server.connecting, now_us) < best.load(best.busy, now_us) and server.allows(now_us):
                return True
        return False

    cdef Server least_busy(self, long long now_us):
        cdef Server server, best = None
        cdef int i, count = len(self.servers)
        self.turn = (self.turn + 1) % count
        for i in range(count):
            server = <Server> self.servers[(self.turn + i) % count]
            if server.allows(now_us) and (best is None or _less_loaded(server, best, now_us)):
                best = server
        return best

    cdef int connections(self) noexcept:
        cdef Server server
        cdef int total = 0
        for server in self.servers:
            total += server.busy + server.connecting + <int> len(server.idle)
        return total

    cdef bint enqueue(self, object fetch) except -1:
        """False when too many wait already."""
        if len(self.waiting) >= self.queue_max:
            return False
        self.waiting.append(fetch)
        return True

    cdef object next_waiting(self):
        return self.waiting.popleft() if self.waiting else None

    cdef int withdraw(self, object fetch) except -1:
        """A fetch that waits no longer."""
        if fetch in self.waiting:
            self.waiting.remove(fetch)
        return 0

    cdef Server to_connect(self, long long now_us):
        """The server to open one more connection to for those who wait (now connecting), or None when that helps nobody."""
        cdef Server server
        if self.connecting() >= len(self.waiting) or self.connections() >= self.connections_max:
            return None
        server = self.least_busy(now_us)
        if server is not None:
            server.connecting += 1
        return server

    cdef Server alternative(self, Server server, long long now_us):
        """The least busy server beside one that has just failed, or None."""
        cdef Server other, best = None
        for other in self.servers:
            if other is not server and other.allows(now_us) and (best is None or _less_loaded(other, best, now_us)):
                best = other
        return best

    cdef int connecting(self) noexcept:
        cdef Server server
        cdef int total = 0
        for server in self.servers:
            total += server.connecting
        return total

    cdef bint is_hopeless(self, long long now_us) except -1:
        """Whether every breaker is open and no connection is on its way: whoever waits, waits in vain."""
        return self.connecting() == 0 and self.least_busy(now_us) is None

    cdef bint is_up(self, long long now_us) noexcept:
        cdef Server server
        for server in self.servers:
            if server.allows(now_us):
                return True
        return False

    cdef int connected(self, Server server) except -1:
        server.connecting -= 1
        server.busy += 1
        return 0

    cdef int release(self, Server server, object connection) except -1:
        """A busy connection becomes idle."""
        server.busy -= 1
        server.idle.append(connection)
        return 0

    cdef int lost(self, Server server, object connection, bint was_idle) except -1:
        if was_idle:
            server.idle.remove(connection)
        else:
            server.busy -= 1
        return 0

    cdef int failed(self, Server server, long long now_us) except -1:
        """A request to this server came to nothing for a reason of the server's."""
        server.failures += 1
        server.suspect_until_us = now_us + self.breaker_open_us
        if self.breaker_failures and server.failures >= self.breaker_failures:
            server.open_until_us = now_us + self.breaker_open_us
        return 0

    cdef int succeeded(self, Server server) except -1:
        server.failures = 0
        server.open_until_us = server.suspect_until_us = 0
        return 0

    def __repr__(self):
        return f"<Pool {self.name} waiting={len(self.waiting)} {self.servers!r}>"

    # --- Python face: the shell's connector, and tests ----------------------------------------------------------

    def idle_connections(self):
        return [connection for server in self.servers for connection in (<Server> server).idle]

    def check_out(self, long long now_us):
        return self.checkout(now_us)

    def add_waiting(self, fetch):
        return self.enqueue(fetch)

    def pop_waiting(self):
        return self.next_waiting()

    def push_waiting(self, fetch):
        """Back to the front: its turn was taken by a connection that failed."""
        self.waiting.appendleft(fetch)

    def plan_connect(self, long long now_us):
        return self.to_connect(now_us)

    def plan_instead(self, Server server, long long now_us):
        return self.alternative(server, now_us)

    def may_be_asked(self, long long now_us):
        return self.is_up(now_us)

    def has_no_hope(self, long long now_us):
        return self.is_hopeless(now_us)

    def note_connected(self, Server server):
        self.connected(server)

    def note_connect_failed(self, Server server, long long now_us):
        server.connecting -= 1
        self.failed(server, now_us)

    def note_released(self, Server server, connection):
        self.release(server, connection)

    def note_lost(self, Server server, connection, bint was_idle):
        self.lost(server, connection, was_idle)

    def note_failed(self, Server server, long long now_us):
        self.failed(server, now_us)

    def note_succeeded(self, Server server):
        self.succeeded(server)


cdef bint _less_loaded(Server server, Server than, long long now_us) noexcept:
    return server.load(server.busy + server.connecting, now_us) < than.load(than.busy + than.connecting, now_us)
