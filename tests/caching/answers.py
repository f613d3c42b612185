"""Answers to a request, assessed as they would be before they are stored."""

from caching.moments import NOW

from fastedge import Context, Fields, Plan, Request
from fastedge.caching.storing import assessment
from fastedge.stages import CacheRules

# _core.store.Flag
MUST_REVALIDATE, NO_CACHE, HAS_ETAG, HAS_LAST_MODIFIED, IMMUTABLE, HEURISTIC, AUTHORIZED, ENCODED, NO_RANGES = (
    1 << bit for bit in range(9)
)


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
