"""The rs256 job: whoever has a valid token gets the page."""

from fastedge import Pipeline, Response
from fastedge.stages import JwtAuth

PAGE = b"<!doctype html><title>Checkout</title><p>".ljust(1019, b"x") + b"</p>\n"


class Page:
    def on_request(self, request, ctx):
        return Response(200, {"content-type": "text/html; charset=utf-8"}, PAGE)


pipeline = Pipeline(
    JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop"),
    Page(),
)
