"""Two phases, the first of them: when it is decided, and what comes of it."""

from fastedge.config.problems import Problem
from fastedge.supervisor.vote import Vote

BAD = Problem("shop.py", "line 3", "NameError: name 'x' is not defined")


def test_all_must_answer_before_it_is_decided() -> None:
    vote = Vote(2, [0, 1])
    vote.answered(0, 2, (), ("", "A.on_request"))
    assert not vote.is_decided
    vote.answered(1, 2, (), ("", "A.on_request"))
    assert vote.is_decided
    assert vote.problems == ()
    assert vote.hooks[1] == ("", "A.on_request")


def test_the_same_problem_of_many_workers_is_told_once() -> None:
    vote = Vote(2, [0, 1])
    vote.answered(0, 2, (BAD,), ())
    vote.answered(1, 2, (BAD, Problem("edge.toml", "x", "y")), ())
    assert vote.problems == (BAD, Problem("edge.toml", "x", "y"))


def test_one_refusal_is_enough() -> None:
    vote = Vote(2, [0, 1])
    vote.answered(0, 2, (), ())
    vote.answered(1, 2, (BAD,), ())
    assert vote.is_decided
    assert vote.problems == (BAD,)


def test_an_answer_to_an_earlier_reload_does_not_count() -> None:
    vote = Vote(3, [0])
    vote.answered(0, 2, (BAD,), ())
    assert not vote.is_decided
    vote.answered(0, 3, (), ())
    assert vote.problems == ()


def test_a_worker_that_ends_before_it_answered_refuses() -> None:
    vote = Vote(2, [0, 1])
    vote.answered(0, 2, (), ())
    vote.lost(1)
    assert vote.is_decided
    assert [problem.text for problem in vote.problems] == ["worker 1 ended while it prepared"]


def test_a_worker_that_ends_after_it_answered_changes_nothing() -> None:
    vote = Vote(2, [0, 1])
    vote.answered(0, 2, (), ())
    vote.lost(0)
    assert not vote.is_decided
    vote.lost(7)
    vote.answered(1, 2, (), ())
    assert vote.problems == ()


def test_time_is_up_for_those_who_did_not_answer() -> None:
    vote = Vote(2, [0, 1, 2])
    vote.answered(1, 2, (), ())
    vote.timed_out()
    assert vote.is_decided
    assert [problem.text for problem in vote.problems] == ["worker 0, 2 did not prepare in time"]
    vote.answered(0, 2, (), ())
    assert len(vote.problems) == 1
