"""What would lower the bill, and by how much a month. Pure.

A saving is what the same usage would have cost less in the last thirty days; it is told from CENTS_WORTH on.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from ledger.insights import Kind
from ledger.prices import Price, PriceList
from ledger.rating import cost
from ledger.usage import Usage

WORTH = Decimal(1)
"""Of a currency, per month."""
CACHEABLE_TOKENS = 1024
"""Of a prompt: shorter ones are never cached by the provider."""
SHORT_INPUT, SHORT_OUTPUT = 2000, 200
_SMALLER = {"": ("-mini", "-nano"), "-mini": ("-nano",)}
_CENT = Decimal("0.01")
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What one model was used for in thirty days. `price_eur` is what the organization paid; `idle` is the part of it
    that nobody can have waited for."""

    model: str
    requests: int
    usage: Usage
    price_eur: Decimal
    idle_price_eur: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan that one could be on. `models` are patterns, None for all."""

    id: str
    name: str
    currency: str
    monthly_price: Decimal
    monthly_quota: int
    models: Sequence[str] | None

    def has(self, model: str) -> bool:
        return self.models is None or any(fnmatchcase(model, pattern) for pattern in self.models)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`key` says what it is about, `saving` is per month in `currency`."""

    kind: Kind
    key: str
    facts: dict[str, Any] = field(default_factory=dict)
    saving: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """What providers charge at `at`."""

    listed: PriceList
    at: datetime

    def price_for(self, model: str) -> Price | None:
        """None for a model that is not known."""
        return self.listed.price_for(model, self.at)


def on_models(uses: Sequence[ModelUse], prices: Prices, plan: Offer | None) -> Iterator[Recommendation]:
    """On how models are used; for usage that is charged by the token."""
    for use in uses:
        price = prices.price_for(use.model)
        if price is None or use.requests == 0:
            continue
        whole = cost(use.usage, price)
        if whole <= 0:
            continue
        yield from _cached_input(use, price, whole)
        yield from _cheaper_model(use, prices, whole, plan)
        yield from _batch(use, price, whole)


def _cached_input(use: ModelUse, price: Price, whole: int) -> Iterator[Recommendation]:
    """Had half of what was not cached been read from the cache."""
    usage = use.usage
    long_enough = usage.input_tokens >= CACHEABLE_TOKENS * use.requests
    if not long_enough or usage.cached_input_tokens * 10 > usage.input_tokens:
        return
    fresh = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    cached = replace(usage, cached_input_tokens=usage.cached_input_tokens + max(0, fresh) // 2)
    facts = {"model": use.model, "cached_percent": _percent(usage.cached_input_tokens, usage.input_tokens)}
    yield from _worth("cached_input", use.model, facts, use.price_eur, cost(cached, price), whole)


def _cheaper_model(use: ModelUse, prices: Prices, whole: int, plan: Offer | None) -> Iterator[Recommendation]:
    """A smaller one of the family, where questions and answers are short."""
    if (
        use.usage.input_tokens > SHORT_INPUT * use.requests
        or use.usage.output_tokens > SHORT_OUTPUT * use.requests
    ):
        return
    for name in _smaller(use.model):
        price = prices.price_for(name)
        if price is None or (plan is not None and not plan.has(name)):
            continue
        facts = {
            "model": use.model,
            "cheaper": name,
            "output_tokens_per_request": use.usage.output_tokens // use.requests,
        }
        yield from _worth("cheaper_model", use.model, facts, use.price_eur, cost(use.usage, price), whole)
        return


def _smaller(model: str) -> list[str]:
    """Names that a smaller model of the family has, the next smaller first: gpt-4o-2024-08-06 has gpt-4o-mini."""
    family = _SNAPSHOT.sub("", model)
    size = "-mini" if family.endswith("-mini") else ""
    if family.endswith("-nano"):
        return []
    return [family.removesuffix(size) + smaller for smaller in _SMALLER[size]]


def _batch(use: ModelUse, price: Price, whole: int) -> Iterator[Recommendation]:
    """What nobody waits for, as a batch."""
    batch = cost(use.usage, price, service_tier="batch")
    facts = {"model": use.model, "price": f"{use.idle_price_eur.quantize(_CENT)}"}
    yield from _worth("batch", use.model, facts, use.idle_price_eur, batch, whole)


def _worth(
    kind: Kind, key: str, facts: dict[str, Any], paid: Decimal, instead: int, whole: int
) -> Iterator[Recommendation]:
    """Selling prices follow the provider's: what is paid falls by the same share."""
    saving = (paid * (whole - instead) / whole).quantize(_CENT)
    if saving >= WORTH:
        yield Recommendation(kind, key, facts, saving, "EUR")


def on_plan(
    plan: Offer, offers: Sequence[Offer], tokens: Sequence[int], models: Sequence[str]
) -> Iterator[Recommendation]:
    """On the plan itself. `tokens` are those of the last whole months, at least one; `models` what was used in them."""
    most = max(tokens)
    if most == 0:
        if plan.monthly_price >= WORTH:
            yield Recommendation(
                "unused_plan", plan.id, {"plan": plan.name}, plan.monthly_price.quantize(_CENT), plan.currency
            )
        return
    if plan.monthly_quota <= 0 or most * 10 > plan.monthly_quota * 4:
        return
    fitting = [
        offer
        for offer in offers
        if offer.currency == plan.currency
        and offer.monthly_quota * 4 >= most * 5
        and offer.monthly_price <= plan.monthly_price - WORTH
        and all(offer.has(model) for model in models)
    ]
    if fitting:
        best = min(fitting, key=lambda offer: (offer.monthly_price, offer.id))
        facts = {
            "plan": plan.name,
            "smaller": best.name,
            "most_tokens": most,
            "quota": plan.monthly_quota,
        }
        saving = (plan.monthly_price - best.monthly_price).quantize(_CENT)
        yield Recommendation("smaller_plan", plan.id, facts, saving, plan.currency)


def on_keys(idle: Sequence[str]) -> Iterator[Recommendation]:
    """`idle` are the names of keys that nobody has used for long: each is a risk that serves nothing."""
    if idle:
        yield Recommendation("idle_keys", "keys", {"count": len(idle), "names": sorted(idle)[:10]})


def _percent(part: int, whole: int) -> int:
    return part * 100 // whole if whole else 0
