"""The demo's shop in a real browser: three visitors of one stored page, each with what is theirs."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from servers import RealServer, free_port
from webdriver import Browser

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "policies"))

from demo_storefront import storefront  # noqa: E402

KEY = "a secret of the shop, of 32 bytes or more"
GERMANY, AMERICA, BRAZIL = ({"X-Forwarded-For": address} for address in ("194.25.0.60", "8.8.8.8", "200.160.2.3"))
IN_VARIANT_B = {"Cookie": "uid=visitor-5"}
# What a visitor sees, and how the page came.
SEEN = """
const text = name => document.querySelector(`[data-edge=${name}]`).textContent;
const [page] = performance.getEntriesByType("navigation");
const hero = document.querySelector("img.hero");
return {
  banner: text("banner"), name: text("name"), price: text("price"), delivery: text("delivery"),
  hero: hero.getAttribute("src"), isHeroDrawn: hero.complete && hero.naturalWidth > 0,
  made: document.querySelector("footer").textContent,
  coding: page.contentEncoding, isSmaller: page.encodedBodySize < page.decodedBodySize,
};
"""
# All elements that are the page's own, in their order, and where they are.
OUTLINE = """
const depth = element => element.parentElement ? depth(element.parentElement) + 1 : 0;
return [...document.querySelectorAll("*:not([data-edge] *)")].map(element => [depth(element), element.outerHTML.match(/^<\\w+/)[0]]);
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[int]:
    server = storefront(0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def shop(origin: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of its page."""
    directory, port = tmp_path_factory.mktemp("edge"), free_port()
    options = {
        "server.listen": f'["127.0.0.1:{port}"]',
        "origins.front.servers": f'["http://127.0.0.1:{origin}"]',
        "admin.listen": '"127.0.0.1:0"',
        "cache.disk_path": f'"{directory}/cache"',
        "log.access": f'"{directory}/access.log"',
    }
    command = [sys.executable, "-m", "fastedge", "run", str(ROOT / "policies/shop.toml")]
    command += [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHOP_KEY", KEY)
        environment.setenv("FASTEDGE_ADMIN_TOKEN", "open-sesame")
        environment.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        with RealServer(command, port, directory / "edge.log"):
            yield f"http://127.0.0.1:{port}/shop"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


def signed_in(name: str) -> dict[str, str]:
    claims = {"iss": "https://id.shop.example", "aud": "shop", "sub": "ada", "name": name, "exp": time.time() + 600}
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, 'HS256')}"}


GERMAN = {
    "banner": "Guten Morgen, Deutschland! Versand gratis",
    "name": "Ada",
    "price": "129,00 €",
    "hero": "/shop/dawn.svg",
}
AMERICAN = {
    "banner": "Trail week: free shipping from coast to coast",
    "name": "stranger",
    "price": "$139.00",
    "hero": "/shop/night.svg",
}
STRANGER = {
    "banner": "Free returns for a hundred days, wherever you are",
    "name": "stranger",
    "price": "from 129 €",
    "hero": "/shop/dawn.svg",
    "delivery": "We deliver to 31 countries.",
}
VISITORS: list[tuple[dict[str, str], dict[str, str]]] = [
    (GERMANY | signed_in("Ada"), GERMAN),
    (AMERICA | IN_VARIANT_B, AMERICAN),
    ({}, STRANGER),
]


@pytest.mark.parametrize(("fields", "expected"), VISITORS, ids=["german", "american", "stranger"])
def test_visitor_sees_what_is_theirs(
    browser: Browser, shop: str, fields: dict[str, str], expected: dict[str, str]
) -> None:
    browser.open(shop, fields)
    seen = browser.run(SEEN)
    assert {part: seen[part] for part in expected} == expected
    assert seen["isHeroDrawn"]
    assert seen["coding"] == "gzip" and seen["isSmaller"]
    assert seen["made"] == "This page is answer 1 of the origin"


def test_fragment_is_kept_for_all_who_see_the_same(browser: Browser, shop: str) -> None:
    for fields in (signed_in("Ada"), IN_VARIANT_B, {}):
        browser.open(shop, GERMANY | fields)
        delivery = browser.run(SEEN)["delivery"]
        assert delivery == "In zwei Tagen bei Ihnen. (answer 1)"


def test_fragment_that_fails_leaves_what_the_page_says(browser: Browser, shop: str) -> None:
    browser.open(shop, BRAZIL)  # where the origin has nothing to say about delivery
    seen = browser.run(SEEN)
    assert seen["delivery"] == STRANGER["delivery"]
    assert seen["made"] == "This page is answer 1 of the origin"


def test_page_is_whole_for_everyone(browser: Browser, shop: str, origin: int) -> None:
    browser.open(f"http://127.0.0.1:{origin}/shop")
    own = browser.run(OUTLINE)
    assert len(own) > 20
    for fields in (*(fields for fields, _ in VISITORS), BRAZIL):
        browser.open(shop, fields)
        assert browser.run(OUTLINE) == own


@pytest.mark.parametrize(
    "name",
    [
        '<img src="/shop/night.svg" onload="window.ran=1">',
        "<img src=x onerror=window.ran=1>",
        "</b></span><script>window.ran=1</script>",
        "<!--",
        "&lt;b&gt; &amp; \"'`",
        "</title></style></textarea><svg/onload=window.ran=1>",
    ],
)
def test_markup_in_a_claim_is_text(browser: Browser, shop: str, name: str) -> None:
    browser.open(shop, signed_in(name))
    assert browser.run(SEEN)["name"] == name
    assert browser.run("return document.querySelector('[data-edge=name]').childElementCount") == 0
    assert browser.run("return window.ran") is None
