"""The personal job: one stored page, and six parts of it that are each visitor's own."""

from fastedge import Pipeline
from fastedge.stages import Cookie, Experiment, Fragments, Geo, Personalize, Slot, Variant

SEGMENT = Cookie("segment", allow=["gold", "blue", "crew", "none"])
PRICES = {"DE": "11.99 EUR", "FR": "11.99 EUR", "IT": "12.49 EUR", "ES": "11.49 EUR", "GB": "10.49 GBP"}
HEROES = {"a": "Boots for the summer", "b": "Boots for the winter"}

pipeline = Pipeline(
    Experiment("hero", sticky_by="cookie:uid", weights={"a": 50, "b": 50}, keyed=False),
    Personalize(
        Slot("name", Cookie("name", bytes_max=64)),
        Slot("segment", SEGMENT),
        Slot("price", Geo("country", PRICES), fallback="12.99 USD"),
        Slot("hero", Variant("hero", HEROES)),
        Slot("banner", Fragments("banners", Geo("country")), raw=True),
        Slot("offers", Fragments("offers", SEGMENT), raw=True),
    ),
)
