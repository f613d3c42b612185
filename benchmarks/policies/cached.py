"""The cached job: whoever has a valid token gets the stored page, with their own country and variant beside it."""

from fastedge import Pipeline
from fastedge.stages import Experiment, JwtAuth


class Mark:
    def on_response(self, request, response, ctx):
        response.headers["x-country"] = ctx.geo.country
        response.headers["x-bucket"] = ctx.variants.get("checkout", "")


pipeline = Pipeline(
    JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop"),
    Experiment("checkout", sticky_by="cookie:uid", weights={"b": 50, "a": 50}),
    Mark(),
)
