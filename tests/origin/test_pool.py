"""The book-keeping of connections, without any: `repr` says where everything is, time is a number."""

from fastedge.origin.pool import Pool, Server


def make(count=1, **options):
    settings = {"connections_max": 4, "queue_max": 3, "breaker_failures": 2, "breaker_open_ms": 1000} | options
    return Pool("main", [Server(f"http://{'abc'[i]}") for i in range(count)], **settings)


def shown(pool):
    return repr(pool).removeprefix("<Pool main ").removesuffix(">")


def server(name, busy=0, idle=0, connecting=0, breaker="closed"):
    return f"<http://{name} busy={busy} idle={idle} connecting={connecting} breaker={breaker}>"


def connect(pool, now=0):
    """One more connection, busy; its server."""
    pool.add_waiting("fetch")
    one = pool.plan_connect(now)
    pool.note_connected(one)
    pool.pop_waiting()
    return one


def test_connection_lives_from_connecting_to_lost():
    pool = make()
    assert pool.check_out(0) is None
    assert pool.add_waiting("fetch")
    one = pool.plan_connect(0)
    assert shown(pool) == f"waiting=1 [{server('a', connecting=1)}]"
    pool.note_connected(one)
    assert pool.pop_waiting() == "fetch"
    assert shown(pool) == f"waiting=0 [{server('a', busy=1)}]"
    pool.note_released(one, "connection")
    assert shown(pool) == f"waiting=0 [{server('a', idle=1)}]"
    assert pool.check_out(0) == "connection"
    assert shown(pool) == f"waiting=0 [{server('a', busy=1)}]"
    pool.note_lost(one, "connection", False)
    assert shown(pool) == f"waiting=0 [{server('a')}]"


def test_idle_connection_lost():
    pool = make()
    one = connect(pool)
    pool.note_released(one, "connection")
    pool.note_lost(one, "connection", True)
    assert shown(pool) == f"waiting=0 [{server('a')}]"
    assert pool.check_out(0) is None


def test_connection_used_last_is_used_first():
    pool = make()
    for connection in ("old", "new"):
        pool.note_released(connect(pool), connection)
    assert [pool.check_out(0), pool.check_out(0), pool.check_out(0)] == ["new", "old", None]


def test_no_more_connecting_than_waiting():
    pool = make()
    assert pool.plan_connect(0) is None
    pool.add_waiting(1)
    assert pool.plan_connect(0) is not None
    assert pool.plan_connect(0) is None


def test_no_more_connections_than_allowed():
    pool = make(connections_max=2)
    connect(pool)
    connect(pool)
    pool.add_waiting(1)
    assert pool.plan_connect(0) is None


def test_queue_is_bounded_and_in_order():
    pool = make(queue_max=2)
    assert [pool.add_waiting(i) for i in range(3)] == [True, True, False]
    pool.push_waiting("again")
    assert [pool.pop_waiting() for _ in range(4)] == ["again", 0, 1, None]


def test_connections_spread_over_servers():
    pool = make(3, connections_max=6)
    assert sorted(connect(pool).url for _ in range(6)) == [f"http://{n}" for n in "aabbcc"]


def test_quieter_server_preferred_to_an_idle_connection():
    pool = make(2)
    first, second = connect(pool), connect(pool)
    third = connect(pool)
    pool.note_released(third, "connection")
    other = second if third is first else first
    assert pool.check_out(0) == "connection"  # both are equally busy
    pool.note_released(third, "connection")
    pool.note_lost(other, "gone", False)
    assert pool.check_out(0) is None
    pool.add_waiting(1)
    assert pool.plan_connect(0) is other


def test_idle_connection_preferred_where_no_more_are_allowed():
    pool = make(2, connections_max=3)
    first, second = connect(pool), connect(pool)
    third = connect(pool)
    pool.note_released(third, "connection")
    other = second if third is first else first
    pool.note_lost(other, "gone", False)
    pool.note_released(connect(pool), "elsewhere")
    assert pool.check_out(0) == "elsewhere"
    assert pool.check_out(0) == "connection"


def test_breaker_opens_after_failures_in_a_row():
    pool = make()
    one = pool.servers[0]
    pool.note_failed(one, 0)
    pool.note_succeeded(one)
    pool.note_failed(one, 0)
    assert not pool.has_no_hope(0)
    pool.note_failed(one, 0)
    assert shown(pool) == f"waiting=0 [{server('a', breaker='open')}]"
    pool.add_waiting(1)
    assert pool.plan_connect(999_999) is None
    assert pool.has_no_hope(999_999)


def test_open_breaker_lets_one_trial_through():
    pool = make()
    one = pool.servers[0]
    for _ in range(2):
        pool.note_failed(one, 0)
    pool.add_waiting(1)
    pool.add_waiting(2)
    assert pool.plan_connect(1_000_000) is one
    assert pool.plan_connect(1_000_000) is None
    assert not pool.has_no_hope(1_000_000)  # the trial is on its way
    pool.note_connected(one)
    assert pool.has_no_hope(1_000_000)
    pool.note_succeeded(one)
    assert shown(pool) == f"waiting=2 [{server('a', busy=1)}]"
    assert pool.plan_connect(1_000_000) is one


def test_failed_trial_opens_the_breaker_again():
    pool = make()
    one = pool.servers[0]
    for _ in range(2):
        pool.note_failed(one, 0)
    pool.add_waiting(1)
    assert pool.plan_connect(1_000_000) is one
    pool.note_connect_failed(one, 1_000_000)
    assert pool.plan_connect(1_999_999) is None
    assert pool.plan_connect(2_000_000) is one


def test_idle_connections_of_an_open_server_not_used():
    pool = make(2)
    one = connect(pool)
    pool.note_released(one, "connection")
    for _ in range(2):
        pool.note_failed(one, 0)
    assert pool.check_out(0) is None
    pool.add_waiting(1)
    assert pool.plan_connect(0) is not one


def test_breaker_that_is_off_never_opens():
    pool = make(breaker_failures=0)
    for _ in range(100):
        pool.note_failed(pool.servers[0], 0)
    assert shown(pool) == f"waiting=0 [{server('a')}]"


def test_alternative_is_another_server():
    pool = make(3)
    a, b, c = pool.servers
    for _ in range(2):
        pool.note_failed(c, 0)
    assert pool.plan_instead(a, 0) is b
    for _ in range(2):
        pool.note_failed(b, 0)
    assert pool.plan_instead(a, 0) is None


def test_alternative_of_a_single_server_is_none():
    pool = make()
    assert pool.plan_instead(pool.servers[0], 0) is None


def test_server_that_has_just_failed_asked_after_the_others():
    pool = make(2, breaker_failures=0)
    a, b = pool.servers
    pool.note_failed(a, 0)
    assert [connect(pool, 999_999) for _ in range(3)] == [b, b, b]
    pool.note_released(b, "connection")
    assert pool.check_out(999_999) == "connection"
    pool.add_waiting(1)
    assert pool.plan_connect(1_000_000) is a


def test_server_that_has_just_failed_asked_where_there_is_no_other():
    pool = make(breaker_failures=0)
    pool.note_failed(pool.servers[0], 0)
    assert connect(pool, 1) is pool.servers[0]


def test_success_ends_suspicion():
    pool = make(2)
    a, b = pool.servers
    pool.note_failed(a, 0)
    pool.note_succeeded(a)
    assert {connect(pool, 1), connect(pool, 1)} == {a, b}
