"""A small shop: moved pages redirect, Europeans go to the European origin, the catalogue is cached; accounts are for
whom the identity provider knows; the checkout is for customers only, and half of them get the new one."""

from fastedge import Pipeline, Response
from fastedge.stages import CacheRules, Experiment, GeoRoute, JwtAuth, Redirects, When


class ShowVariant:
    """Lets the browser see which checkout it got, for the page's own measurements."""

    def on_response(self, request, response, ctx):
        if "checkout" in ctx.variants:
            response.headers["x-checkout"] = ctx.variants["checkout"]


class Hidden:
    """The origins' internal pages are nobody's business."""

    def on_request(self, request, ctx):
        return Response.text("There is nothing here.\n", 404)


pipeline = Pipeline(
    Redirects(table="moved"),
    GeoRoute({"union:EU": "eu", "GB": "eu", "CH": "eu", "NO": "eu"}, default="us"),
    When("/internal/*", Hidden()),
    When("/catalogue/*", CacheRules(default_ttl_s=60, strip_cookies=True, drop_query=["utm_*"], tags=["catalogue"])),
    When("/catalogue/stock", CacheRules(ttl_s=1, stale_while_revalidate_s=3600)),
    When("/account/*", JwtAuth(issuer="http://127.0.0.1:9003", audience="shop", keys="login")),
    When(
        "/checkout/*",
        JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop", forward_claims={"sub": "x-customer"}),
        Experiment("checkout", weights={"a": 50, "b": 50}, sticky_by="cookie:uid"),
        ShowVariant(),
    ),
)
