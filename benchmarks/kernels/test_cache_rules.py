"""What CacheRules costs a request: the whole request hook by what is asked of it, over 200 requests at a time."""

import pytest

from fastedge import Context, Match, Plan, Request
from fastedge.stages import CacheRules

TARGET = "/catalogue/shoes?size=42&utm_source=mail&colour=red&utm_medium=letter"
FIELDS = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-language", "en-GB,en;q=0.8"),
    ("accept-encoding", "gzip, br"),
    ("cookie", "theme=dark; session=abcdef0123456789; currency=EUR"),
    ("x-forwarded-for", "192.0.2.7"),
    ("sec-fetch-mode", "navigate"),
]
LIFETIMES = {"default_ttl_s": 60, "status_ttl_s": {"404": 10, "5xx": 0}, "stale_if_error_s": 600}
RULES = {
    "lifetimes": CacheRules(**LIFETIMES),
    "tags by path": CacheRules(tags={"/catalogue/*": ["catalogue"], "/news/*": ["news"]}),
    "a cookie in the key": CacheRules(key=["cookie:currency"]),
    "cookies stripped": CacheRules(strip_cookies=True),
    "bypass": CacheRules(bypass=["cookie:wp_session", "header:authorization"]),
    "query kept": CacheRules(keep_query=["size", "colour", "utm_*"]),
    "query reduced": CacheRules(drop_query=["utm_*", "fbclid", "gclid"]),
    "query sorted": CacheRules(sort_query=True),
    "many at once": CacheRules(
        **LIFETIMES, drop_query=["utm_*"], key=["cookie:currency"], bypass=Match(cookie={"session": "admin-*"}),
        tags={"/catalogue/*": ["catalogue"]}, strip_cookies=True,
    ),
}  # fmt: skip
# As many as the freelists hold, so that a context costs here what it costs in a server.
REQUESTS = 200


def decide_all(stage, request, contexts):
    for ctx in contexts:
        stage.decide(request, ctx)


class Nothing:
    """What the loop and the Python face cost."""

    def decide(self, request, ctx):
        return None


@pytest.mark.benchmark(group="CacheRules, 200 requests")
@pytest.mark.parametrize("rules", ["nothing", *RULES])
def test_request_hook_of_200_requests(benchmark, rules):
    stage = RULES[rules].bind(None) if rules in RULES else Nothing()
    request = Request("GET", TARGET, FIELDS)

    def contexts():
        return (stage, request, [Context(plan=Plan(target=TARGET)) for _ in range(REQUESTS)]), {}

    benchmark.pedantic(decide_all, setup=contexts, rounds=300)
