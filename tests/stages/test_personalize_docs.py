"""docs/stages/personalize.md: its tables are complete, and its policy does what the page says, in front of a real origin."""

import inspect
import re
from pathlib import Path

from exchange import Message, Peer, Scene
from exchange.cached import answer, get

from fastedge import limits
from fastedge.html.reply import REASONS
from fastedge.stages import Slot

PAGE = (Path(__file__).parents[2] / "docs" / "stages" / "personalize.md").read_text()
SHOP = (
    b'<!DOCTYPE html><html><body><p data-edge="greeting">Hello</p><b data-edge="price">-</b><img class="hero" src="/0.jpg">'
    b'<i data-edge="tier">none</i><div data-edge="banner">All</div><div data-edge="cart">Empty</div>{{edge.hello}}</body></html>'
)


def block(language: str) -> str:
    return PAGE.partition(f"```{language}\n")[2].partition("```")[0]


def test_signature_of_a_slot_is_documented() -> None:
    documented = re.search(r"`Slot\((.+?)\)`", PAGE)
    assert documented is not None
    shown = [name.partition("=")[0] for name in documented[1].split(", ") if name != "*"]
    assert shown == list(inspect.signature(Slot).parameters)


def test_documented_bounds_are_the_limits() -> None:
    assert f"up to {limits.html_rules_max}." in PAGE
    assert f"| `wait_ms` | `{limits.fragment_wait_ms}` |" in PAGE
    assert f"up to {limits.fragment_wait_ms_max:,} |" in PAGE
    assert f"| `fragment_bytes_max` | `{limits.html_value_bytes_max}` |" in PAGE
    assert f"at most {limits.esi_variable_bytes_max // 1024} KiB in UTF-8" in PAGE
    assert f"longer than {limits.esi_url_bytes_max // 1024} KiB" in PAGE


def test_every_reason_is_documented() -> None:
    table = PAGE.partition("| reason |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(REASONS)


def shop(server: Peer, request: Message) -> None:
    if request.target.startswith("/fragments/cart"):
        server.send(*answer("cache-control: no-store", body=b"<b>" + request.target.encode() + b"</b>"))
    else:
        server.send(*answer("content-type: text/html; charset=utf-8", "cache-control: max-age=60", body=SHOP))


def test_documented_policy_makes_each_visitor_a_page(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "banners.json").write_text('{"DE": "<p>Versandkostenfrei</p>"}')
    (tmp_path / "shop.key").write_text("k" * 32)
    scene.policy = block("python")
    scene.more = block("toml").replace('secret_env = "SHOP_KEY"', 'secret_file = "shop.key"')
    scene.server = 'trusted_proxies = ["127.0.0.0/8"]'
    scene.origin.serve(shop)
    client = scene.client()
    german = get(client, "x-forwarded-for: 129.69.1.1", "cookie: tier=gold")
    assert german.status == 200
    shown = re.sub(rb"/[ab]\.jpg", b"/?.jpg", german.body)
    assert shown.decode() == (
        '<!DOCTYPE html><html><body><p data-edge="greeting">guest</p><b data-edge="price">9,99 €</b>'
        '<img class="hero" src="/?.jpg"><i data-edge="tier">gold</i><div data-edge="banner"><p>Versandkostenfrei</p></div>'
        '<div data-edge="cart"><b>/fragments/cart?c=DE</b></div>Hello GET</body></html>'
    )
    assert german.get("cache-control") == "private, no-cache"
    assert german.get("edge-error") is None
    assert {name.strip().lower() for name in (german.get("vary") or "").split(",")} == {
        "accept-encoding",
        "authorization",
        "cookie",
    }
    stranger = get(client, "x-forwarded-for: 127.0.0.2", "cookie: tier=<b>")
    assert (
        b'<i data-edge="tier">none</i><div data-edge="banner">All</div><div data-edge="cart">Empty</div>'
        in stranger.body
    )
    assert stranger.get("etag") != german.get("etag")
