"""What a new price list changes in the prices that are held: other prices from now on, never those of before. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from ledger.prices import Price


class PriceChanges(NamedTuple):
    """`ended`: prices that a new one follows at once. `kept`: listed for a time to come, and held with other rates."""

    new: list[Price]
    ended: list[Price]
    kept: list[Price]


def price_changes(listed: Iterable[Price], held: Iterable[Price], at: datetime) -> PriceChanges:
    """What the list says for `at` holds from then on; what it says for later, from then. What it leaves out stays."""
    known = {(price.provider, price.model, price.valid_from): price for price in held}
    current = _at(known.values(), at)
    changes = PriceChanges([], [], [])
    every = list(listed)
    for key, price in _at(every, at).items():
        mine = current.get(key)
        if mine is None or mine.rates != price.rates:
            changes.new.append(replace(price, valid_from=at, valid_until=None))
            changes.ended.extend([] if mine is None else [mine])
    for price in every:
        if price.valid_from > at:
            mine = known.get((price.provider, price.model, price.valid_from))
            if mine is None:
                changes.new.append(price)
            elif mine.rates != price.rates:
                changes.kept.append(price)
    return changes


def _at(prices: Iterable[Price], at: datetime) -> dict[tuple[str, str], Price]:
    """The price of each model at an instant."""
    found: dict[tuple[str, str], Price] = {}
    for price in sorted(prices, key=lambda price: price.valid_from):
        if price.valid_from <= at:
            found[price.provider, price.model] = price
    return {key: price for key, price in found.items() if price.valid_until is None or at < price.valid_until}
