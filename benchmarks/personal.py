"""The personal job's one page for 10,000 visitors: what each of them tells about themselves, and what each must get.

Values of one slot have the same length, so that every visitor's page has. All peers take theirs from the tables here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import traffic
from benchmarks.countries import COUNTRIES, CountryTable
from benchmarks.pages import own_content, page_of

VISITORS = 10_000
TARGET = "/page"
SLOTS = ("name", "segment", "price", "hero", "banner", "offers")
PAGE = page_of(50_000, SLOTS)

SEGMENTS = ("gold", "blue", "crew", "none")
EXPERIMENT = "hero"
WEIGHTS = {"a": 50, "b": 50}
HEROES = {"a": "Boots for the summer", "b": "Boots for the winter"}
BANNERS = {
    country: f'<a class="banner" href="/{country}/offers?from=home"><img src="/img/banner-{country}.jpg" '
    f'alt="Free delivery in {country}" width="640" height="120"><b>Free delivery in {country}</b></a>'
    for country in sorted(set(COUNTRIES))
}
OFFERS = {
    segment: "".join(
        f'<li><a href="/{segment}/{number}"><img src="/img/{segment}-{number}.jpg" alt="Offer {number}"></a></li>'
        for number in range(1, 6)
    )
    for segment in SEGMENTS
}
PRICES = dict.fromkeys(BANNERS, "12.99 USD")
PRICES |= {"DE": "11.99 EUR", "FR": "11.99 EUR", "IT": "12.49 EUR", "ES": "11.49 EUR", "GB": "10.49 GBP"}
# By slot: which fact about the visitor decides, and what it makes of each of its values. The name goes in as it is.
TABLES = {
    "segment": ("segment", {segment: segment for segment in SEGMENTS}),
    "price": ("country", PRICES),
    "hero": ("variant", HEROES),
    "banner": ("country", BANNERS),
    "offers": ("segment", OFFERS),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, by cookie and address. `country` and `variant` are what an edge finds out by its table and its hash."""

    name: str
    uid: str
    segment: str
    address: str
    country: str
    variant: str

    def values(self) -> dict[str, str]:
        """By slot: this visitor's part of the page."""
        parts = {slot: table[getattr(self, fact)] for slot, (fact, table) in TABLES.items()}
        return {"name": self.name, **parts}

    def page(self) -> bytes:
        """The page with these parts."""
        page = PAGE
        for slot, value in self.values().items():
            page = page.replace(own_content(slot), value.encode())
        return page

    def request(self, encoding: str) -> bytes:
        """The GET. Who has no table gets the country as a field, who has no hash the variant as a cookie."""
        return traffic.render(TARGET, self.address, self.cookie(), [f"X-Country: {self.country}"], encoding)

    def cookie(self) -> str:
        """The value of its field."""
        return f"theme=dark; uid={self.uid}; name={self.name}; segment={self.segment}; variant={self.variant}"


def make_visitors(countries: CountryTable, count: int) -> list[Visitor]:
    """Visitors of all countries, segments and variants, no two of whom get the same page."""
    return [_make_visitor(number, address, countries) for number, address in enumerate(countries.addresses(count))]


def _make_visitor(number: int, address: str, countries: CountryTable) -> Visitor:
    from fastedge.routing import assign  # what an origin calls that has to know the edge's variant

    uid = f"{number:016x}"
    return Visitor(
        name=f"visitor-{number:06d}",
        uid=uid,
        segment=SEGMENTS[number % len(SEGMENTS)],
        address=address,
        country=countries.lookup(address),
        variant=assign(EXPERIMENT, uid, WEIGHTS),
    )


def requests(visitors: Sequence[Visitor], encoding: str) -> list[bytes]:
    """One GET for each visitor."""
    return [visitor.request(encoding) for visitor in visitors]
