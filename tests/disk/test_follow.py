"""One fetch for all workers: the others read along. Two desks stand for two processes, each with an owner of its own; real
processes are killed in test_faults."""

import os

import pytest
from disk.desk import Desk, Listener, facts_of, response

from fastedge.clock import monotonic
from fastedge.disk.follow import End
from fastedge.disk.process import owner_of

BODY = os.urandom(500_000)


@pytest.fixture
def desks(make_desk) -> tuple[Desk, Desk]:
    """A leader, and a follower who shares its index but is another process."""
    leader = make_desk()
    return leader, make_desk(beside=leader, owner=owner_of(os.getppid()))


def claims(desks, stored):
    first, second = (desk.tier.claim(stored.high, stored.low) for desk in desks)
    assert (first.is_leader, second.is_leader) == (True, False)
    return first, second


def both(desks, condition):
    """Turns the loop of both until the condition holds."""
    desks[0].until(condition)


@pytest.mark.parametrize("length", [len(BODY), -1], ids=["known length", "unknown length"])
def test_follower_reads_along_while_it_arrives(desks, length):
    stored = response(body=BODY, length=length)
    leads, follows = claims(desks, stored)
    listener, said = Listener(), []
    follows.follow(listener)
    writer = leads.begin(stored)
    both(desks, lambda: listener.heads)
    assert facts_of(listener.heads[0]) == facts_of(stored)
    for start in range(0, len(BODY), 100_000):
        assert writer.write(BODY[start : start + 100_000])
        both(desks, lambda start=start: len(listener.data) == start + 100_000)
    assert listener.end is None
    writer.finish(response(body=BODY), said.append)
    both(desks, lambda: listener.end and said)
    assert (listener.end, listener.data) == (End.FINISHED, BODY)
    (loaded,) = desks[1].load(stored)
    assert loaded.body.read_some(0, 1000) == BODY[:1000]


def test_response_that_is_whole_at_once_is_seen_whole(desks):
    stored = response()
    leads, follows = claims(desks, stored)
    listener = Listener()
    writer = leads.begin(stored)
    writer.write(b"hello")
    writer.finish(stored)
    follows.follow(listener)
    both(desks, lambda: listener.end)
    assert (listener.end, listener.data) == (End.FINISHED, b"hello")


def test_follower_that_comes_when_it_is_over_still_sees_it(desks):
    stored = response(body=BODY)
    leads, follows = claims(desks, stored)
    said, listener = [], Listener()
    writer = leads.begin(stored)
    writer.write(BODY)
    writer.finish(stored, said.append)
    both(desks, lambda: said)
    follows.follow(listener)
    both(desks, lambda: listener.end)
    assert (listener.end, listener.data) == (End.FINISHED, BODY)


def test_many_followers_see_the_same(desks):
    stored = response(body=BODY, length=-1)
    leads, first = claims(desks, stored)
    listeners = [Listener() for _ in range(100)]
    for listener in listeners:
        (desks[1].tier.claim(stored.high, stored.low) or first).follow(listener)
    writer = leads.begin(stored)
    for start in range(0, len(BODY), 50_000):
        writer.write(BODY[start : start + 50_000])
        both(desks, lambda: True)
    writer.finish(response(body=BODY))
    both(desks, lambda: all(listener.end for listener in listeners))
    assert {(listener.end, listener.data) for listener in listeners} == {(End.FINISHED, BODY)}


def test_unshareable_response_makes_no_queue(desks):
    stored = response()
    leads, follows = claims(desks, stored)
    listener = Listener()
    follows.follow(listener)
    leads.release(unshareable=True)
    both(desks, lambda: listener.end)
    assert (listener.end, listener.heads) == (End.UNSHAREABLE, [])
    assert desks[1].tier.claim(stored.high, stored.low).is_leader


def test_released_claim_can_be_claimed_by_a_follower(desks):
    stored = response()
    leads, follows = claims(desks, stored)
    listener = Listener()
    follows.follow(listener)
    leads.release()
    both(desks, lambda: listener.end)
    assert listener.end is End.LOST


def test_origin_that_dies_in_the_middle_ends_the_followers(desks):
    stored = response(body=BODY)
    leads, follows = claims(desks, stored)
    listener = Listener()
    follows.follow(listener)
    writer = leads.begin(stored)
    writer.write(BODY[:1000])
    both(desks, lambda: len(listener.data) == 1000)
    writer.abort()
    both(desks, lambda: listener.end)
    assert listener.end is End.LOST
    both(desks, lambda: not desks[0].files())
    assert desks[1].load(stored) == []


def test_response_too_large_for_the_disk_is_for_each_alone(desks):
    stored = response(length=1 << 40)
    leads, follows = claims(desks, stored)
    listener = Listener()
    follows.follow(listener)
    assert leads.begin(stored) is None
    both(desks, lambda: listener.end)
    assert listener.end is End.UNSHAREABLE


def test_paused_follower_is_told_nothing_until_it_resumes(desks):
    stored = response(body=BODY)
    leads, follows = claims(desks, stored)
    listener = Listener()
    follow = follows.follow(listener)
    writer = leads.begin(stored)
    both(desks, lambda: listener.heads)
    follow.pause()
    writer.write(BODY[:1000])
    for _ in range(10):
        both(desks, lambda: True)
    assert listener.data == b""
    follow.resume()
    both(desks, lambda: listener.data)
    writer.abort()
    both(desks, lambda: listener.end)


def test_cancelled_follower_hears_nothing_more(desks):
    stored = response()
    leads, follows = claims(desks, stored)
    listener = Listener()
    follow = follows.follow(listener)
    follow.cancel()
    leads.release()
    both(desks, lambda: not desks[1].tier._follows)
    assert listener.end is None


def test_body_that_is_not_what_its_leader_wrote_is_lost(desks):
    stored = response(body=BODY)
    leads, follows = claims(desks, stored)
    listener = Listener()
    follow = follows.follow(listener)
    writer = leads.begin(stored)
    writer.write(BODY[:1000])
    both(desks, lambda: len(listener.data) == 1000)
    follow._checksum.update(b"damage")
    writer.write(BODY[1000:])
    writer.finish(stored)
    both(desks, lambda: listener.end)
    assert listener.end is End.LOST


def test_follower_of_a_dead_leader_is_told_and_may_lead(make_desk):
    dead = make_desk(owner=(1 << 22) - 1 << 42)  # no such process
    living = make_desk(beside=dead)
    living.settle()  # its sweep is over: what comes now is the follower's to find
    stored = response(body=BODY)
    leads = dead.tier.claim(stored.high, stored.low)
    writer = leads.begin(stored)
    writer.write(BODY[:1000])
    follows = living.tier.claim(stored.high, stored.low)
    listener = Listener()
    follow = follows.follow(listener)
    dead.until(dead.files)
    follow._check_us = monotonic()
    both((dead, living), lambda: listener.end)
    assert listener.end is End.LOST
    assert living.tier.claim(stored.high, stored.low).is_leader
    living.settle()
    assert living.files() == []
