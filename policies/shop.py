"""A small shop: moved pages redirect, Europeans go to the European origin, the catalogue is cached; one stored page is
everyone's own; accounts are for whom the identity provider knows; the checkout is for customers only, and half of them
get the new one."""

from fastedge import Pipeline, Response
from fastedge.stages import (
    CacheRules,
    Claim,
    Experiment,
    Fragments,
    Geo,
    GeoRoute,
    Include,
    JwtAuth,
    Match,
    Personalize,
    Redirects,
    Slot,
    Variant,
    When,
)


class ShowVariant:
    """Lets the browser see which checkout it got, for the page's own measurements."""

    def on_response(self, request, response, ctx):
        if "checkout" in ctx.variants:
            response.headers["x-checkout"] = ctx.variants["checkout"]


class Hidden:
    """The origins' internal pages are nobody's business."""

    def on_request(self, request, ctx):
        return Response.text("There is nothing here.\n", 404)


# The front is the same wherever one is: one stored page. What is a visitor's own comes into it at the edge.
FRONT = Match(path=["/shop/*", "/fragments/*"])
HEROES = {"a": "/shop/dawn.svg", "b": "/shop/night.svg"}

pipeline = Pipeline(
    Redirects(table="moved"),
    When(~FRONT, GeoRoute({"union:EU": "eu", "GB": "eu", "CH": "eu", "NO": "eu"}, default="us")),
    When(FRONT, JwtAuth(issuer="https://id.shop.example", audience="shop", keys="shop", optional=True)),
    When(
        "/shop",
        Experiment("hero", {"a": 50, "b": 50}, sticky_by=["claim:sub", "cookie:uid", "address"], keyed=False),
        Personalize(
            Slot("banner", Fragments("banners", Geo("country")), raw=True),
            Slot("name", Claim("name")),
            Slot("hero", Variant("hero", HEROES), at="img.hero", action="set_attribute", attribute="src"),
            Slot("price", Geo("country", {"DE": "129,00 €", "US": "$139.00"})),
            Slot("delivery", Include("/fragments/delivery?to={country}", country=Geo("country")), raw=True),
        ),
    ),
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
