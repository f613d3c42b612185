from fastedge._core.fields import Fields
from fastedge._core.message import Plan

def freshness(plan: Plan, status: int, fields: Fields, asked_s: float, received_s: float) -> dict[str, float]: ...
