"""Answers to a request, assessed as they would be before they are stored."""

from enum import IntFlag

from caching.moments import NOW
from fastedge import Context, Fields, Plan, Request
from fastedge.caching.storing import assessment
from fastedge.stages import CacheRules


class Flag(IntFlag):
    """_core.store.Flag"""

    MUST_REVALIDATE = 1
    NO_CACHE = 2
    HAS_ETAG = 4
    HAS_LAST_MODIFIED = 8
    IMMUTABLE = 16
    HEURISTIC = 32
    AUTHORIZED = 64
    ENCODED = 128
    NO_RANGES = 256


def assess(*lines, request=None, plan=None, status=200, nominated=(), delay_s=0.0, **fields):
    """`lines` are pairs, or Cache-Control values; `fields` are named with underscores."""
    lines = [("cache-control", line) if isinstance(line, str) else line for line in lines]
    lines += [(name.replace("_", "-"), value) for name, value in fields.items()]
    return assessment(request or Request(), plan or Plan(), status, Fields(lines), list(nominated), NOW - delay_s, NOW)


def plan_with(**attributes):
    plan = Plan()
    for name, value in attributes.items():
        setattr(plan, name, value)
    return plan


def ruled(**options):
    """A plan as CacheRules with these options makes it."""
    plan = Plan()
    CacheRules(**options).bind(None).decide(Request(), Context(plan=plan))
    return plan


def asking(*lines, **fields):
    """A request with these fields, or Cache-Control values."""
    lines = [("cache-control", line) if isinstance(line, str) else line for line in lines]
    return Request(headers=[*lines, *((name.replace("_", "-"), value) for name, value in fields.items())])
