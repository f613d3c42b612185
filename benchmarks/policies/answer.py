"""The answer job: whoever has a valid token gets the page, with their country and their variant beside it."""

from fastedge import Pipeline, Response
from fastedge.stages import Experiment, JwtAuth

PAGE = b"<!doctype html><title>Checkout</title><p>".ljust(1019, b"x") + b"</p>\n"


class Answer:
    def on_request(self, request, ctx):
        return Response(
            200,
            {
                "content-type": "text/html; charset=utf-8",
                "x-country": ctx.geo.country,
                "x-bucket": ctx.variants["checkout"],
            },
            PAGE,
        )


pipeline = Pipeline(
    JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop"),
    Experiment("checkout", sticky_by="cookie:uid", weights={"b": 50, "a": 50}),
    Answer(),
)
