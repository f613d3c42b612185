from fastedge._core.fields import Fields
from fastedge._core.message import Plan, Request

def invalidated_names(request: Request, plan: Plan, status: int, fields: Fields) -> list[int]: ...
