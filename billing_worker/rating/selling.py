"""Which term of a plan made which part of a sum of prices."""

from collections.abc import Mapping
from decimal import Decimal

from billing_worker.rating.usage import UsageSum
from ledger.plans import PlanTerms
from ledger.price_rules import PriceRule
from ledger.prices import NANO, TOKEN_KINDS
from ledger.rating import by_kind


def rule_for(terms: PlanTerms, model: str, kind: str) -> PriceRule | None:
    """The rule that a record of the model was priced by; None for at cost. `model` is the price list's name for it."""
    return next((rule for rule in terms.price_rules if rule.applies(model, kind)), None)


def request_part(each: UsageSum, terms: PlanTerms) -> int:
    """What of the sum is the price per request, in nano-units. What names no model has none."""
    if not each.model or not terms.price_per_request:
        return 0
    rest = each.price_nano - each.price_nano_tokens
    return min(rest, each.requests * int(terms.price_per_request * NANO)) if each.usage.quantities else rest


def own_rates(each: UsageSum, terms: PlanTerms, priced_as: Mapping[str, str]) -> set[Decimal | None]:
    """The plan's own rates that its tokens were sold at; None is among them for a markup, and for tiers."""
    model = priced_as.get(each.model, each.model)
    rules = [rule_for(terms, model, kind) for kind in by_kind(each.usage) if kind in TOKEN_KINDS]
    return {None if rule is None else rule.rate for rule in rules}
