from fastedge._core.fields import Fields
from fastedge._core.message import Plan, Request

def purge_names(request: Request, plan: Plan, fields: Fields) -> list[int] | None: ...
