"""What was used, as charges: tokens and pieces by project and model, requests, traffic, the time of streams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

from billing_worker.rating.charges import Charge, counted, in_cents, lump, of_nano
from billing_worker.rating.quota import SegmentUsage, metered
from billing_worker.rating.selling import own_rates, request_part
from billing_worker.rating.usage import UsageSum, summed
from ledger.plans import PlanTerms
from ledger.prices import NANO
from ledger.usage import Usage

_MILLION: Final = 1_000_000
_THOUSAND: Final = 1_000
_GB: Final = 9
_MS: Final = 3
_SECONDS_A_MINUTE: Final = 60
_GIGABYTE: Final = "E34"
_SECOND: Final = "SEC"


def terms_in(usage: SegmentUsage, currency: str) -> PlanTerms | None:
    """The terms that usage in `currency` is charged by. Under a plan of another currency there is none but what was
    under way when the plan changed, which is charged at its own price."""
    terms = usage.segment.terms
    return terms if terms is not None and terms.currency == currency else None


def used(number: int, usage: SegmentUsage, currency: str, priced_as: Mapping[str, str]) -> list[Charge]:
    """The charges of one segment, the `number`th, but for overage at a price of its own. A trial has none.

    `priced_as`: the price list's names of models that it has under another name.
    """
    if usage.segment.trial:
        return []
    terms = terms_in(usage, currency)
    included, charged = (
        [each for each in sums if each.currency == currency] for sums in (usage.included, usage.charged)
    )
    everything = summed([*included, *charged])
    writer = _Writer(number, usage, terms, priced_as)
    if terms is None or not metered(usage.segment):
        found = [writer.all_of(each) for each in everything]
    else:
        found = [] if terms.overage_price else [writer.tokens(each, writer.beyond) for each in charged]
        found += [writer.pieces(each) for each in everything]
    if terms is not None:
        found += [writer.requests(everything, terms.price_per_request)]
        found += writer.carried(summed([*usage.included, *usage.charged]), terms)
    return [charge for charge in found if charge.net]


@dataclass(frozen=True, slots=True)
class _Writer:
    number: int
    usage: SegmentUsage
    terms: PlanTerms | None
    priced_as: Mapping[str, str]

    @property
    def beyond(self) -> Literal["usage", "overage"]:
        """What a limit let slip through, because it was held for less, is plain usage."""
        return "usage" if self.terms is None or self.terms.quota_is_limit else "overage"

    def all_of(self, each: UsageSum) -> Charge:
        nano = each.price_nano - (request_part(each, self.terms) if self.terms else 0)
        if nano == each.price_nano_tokens:
            return self.tokens(each, "usage")
        return self._sum(each, "usage", nano, each.usage)

    def tokens(self, each: UsageSum, kind: Literal["usage", "overage"]) -> Charge:
        """By the million where all were sold at one rate of the plan's own, else at their sum."""
        usage = replace(each.usage, quantities={})
        charge = self._sum(each, kind, each.price_nano_tokens, usage)
        rates = own_rates(each, self.terms, self.priced_as) if self.terms else set()
        rate = rates.pop() if len(rates) == 1 else None
        tokens = Decimal(usage.total_tokens)
        if rate is None or in_cents(tokens * rate / _MILLION) != charge.net:
            return charge
        return replace(charge, quantity=tokens, unit_price=rate, base_quantity=Decimal(_MILLION))

    def pieces(self, each: UsageSum) -> Charge:
        nano = (
            each.price_nano - each.price_nano_tokens - (request_part(each, self.terms) if self.terms else 0)
        )
        return self._sum(each, "usage", nano, Usage(quantities=each.usage.quantities))

    def _sum(self, each: UsageSum, kind: Literal["usage", "overage"], nano: int, used: Usage) -> Charge:
        return lump(
            kind,
            kind,
            self.usage.segment.period,
            of_nano(nano),
            {"model": each.model or "-", "used": used},
            segment=self.number,
            project_id=each.project_id,
            model=each.model,
        )

    def requests(self, sums: Sequence[UsageSum], price: Decimal) -> Charge:
        """By the thousand where each was charged the plan's price, else at their sum."""
        assert self.terms is not None
        parts = [(each.requests, part) for each in sums if (part := request_part(each, self.terms))]
        count, nano = sum(requests for requests, _ in parts), sum(part for _, part in parts)
        period, facts = self.usage.segment.period, {"count": count}
        if nano != count * int(price * NANO):
            return lump("requests", "requests", period, of_nano(nano), facts, segment=self.number)
        return counted(
            *("requests", "requests", period, Decimal(count), price * _THOUSAND, facts),
            base_quantity=_THOUSAND,
            segment=self.number,
        )

    def carried(self, sums: Sequence[UsageSum], terms: PlanTerms) -> list[Charge]:
        """Bytes of bodies, and how long streams lasted."""
        size = sum(each.request_bytes + each.response_bytes for each in sums)
        streamed = sum(each.stream_ms for each in sums)
        period = self.usage.segment.period
        return [
            counted(
                *("usage", "traffic", period, Decimal(size).scaleb(-_GB), terms.traffic_gb_price),
                unit=_GIGABYTE,
                segment=self.number,
            ),
            counted(
                *("usage", "streams", period, Decimal(streamed).scaleb(-_MS), terms.stream_minute_price),
                unit=_SECOND,
                base_quantity=_SECONDS_A_MINUTE,
                segment=self.number,
            ),
        ]
