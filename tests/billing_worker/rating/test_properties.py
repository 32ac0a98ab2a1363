"""What holds of any plan and any usage."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from billing_worker.rating.discounts import discounted
from billing_worker.rating.quota import gather, included_tokens, metered
from billing_worker.rating.rate import Rated
from billing_worker.rating.segments import Contract, Segment
from billing_worker.rating.usage import UsageEntry, UsageSum
from ledger.periods import Period
from ledger.plans import PlanTerms
from ledger.prices import Price
from ledger.rating import Tariff
from ledger.terms import VolumeDiscount
from ledger.usage import Usage
from tests.billing_worker.rating.worked import (
    LONG_AGO,
    Records,
    contract,
    paris,
    rated,
    subscribed,
    terms,
)

START, END = paris(2026, 10, 1), paris(2026, 11, 1)
"""A month with an hour twice."""
MONTH = Period(START, END)

PRICES = {
    model: Price(
        "test",
        model,
        LONG_AGO,
        None,
        {kind: Decimal(rate) for kind, rate in rates.items()},
        "",
        LONG_AGO.date(),
    )
    for model, rates in {
        "gpt-4o": {
            "input": "250",
            "cached_input": "125",
            "output": "1000",
            "image": "0.02",
            "second": "0.06",
        },
        "o3": {"input": "200.5", "output": "800.25", "image": "0.01", "second": "0.6"},
    }.items()
}

instants = st.integers(0, (END - START) // timedelta(minutes=20) - 1).map(
    lambda n: START + n * timedelta(minutes=20)
)
counts = st.integers(0, 3_000)


@dataclass(frozen=True)
class Call:
    """A record before it is priced."""

    request_id: str
    at: datetime
    project: str | None
    model: str
    usage: Usage
    request_bytes: int
    stream_ms: int


calls = st.lists(
    st.builds(
        Call,
        request_id=st.just(""),
        at=instants,
        project=st.sampled_from([None, "proj_1"]),
        model=st.sampled_from(["gpt-4o", "o3", ""]),
        usage=st.builds(
            Usage,
            input_tokens=counts,
            output_tokens=counts,
            cached_input_tokens=counts,
            quantities=st.sampled_from([{}, {"images": 2}, {"seconds": 90}]),
        ),
        request_bytes=counts.map(lambda megabytes: megabytes * 10**6),
        stream_ms=counts,
    ),
    max_size=10,
).map(lambda made: [replace(each, request_id=f"req_{number}") for number, each in enumerate(made)])


def recorded(agreed: Contract, made: Sequence[Call]) -> list[UsageEntry]:
    """As the proxy prices them, by the terms of their time."""
    told = []
    for each in made:
        terms_then = next(of.terms for of in agreed.segments(MONTH) if each.at in of.period)
        price, of_tokens = (0, 0)
        if each.model and terms_then is not None:
            tariff = Tariff(terms_then.price_rules, terms_then.price_per_request, "EUR")
            price, of_tokens = tariff.price(each.usage, PRICES[each.model], Decimal("1.16"))
        told.append(
            UsageEntry(
                occurred_at=each.at,
                request_id=each.request_id,
                provider_cost_nano_usd=0,
                usd_per_eur=Decimal("1.16"),
                sum=UsageSum(
                    project_id=each.project,
                    model=each.model,
                    currency="EUR",
                    requests=1,
                    usage=each.usage,
                    price_nano=price,
                    price_nano_tokens=of_tokens,
                    request_bytes=each.request_bytes,
                    stream_ms=each.stream_ms,
                ),
            )
        )
    return told


MODES = ["graduated", "volume"]
RATES = {"steps": [{"up_to": 2_000, "rate": "30"}, {"up_to": 9_000, "rate": "40"}, {"rate": "10"}]}
MARKUPS = {"steps": [{"up_to": "0.5", "markup": "1.5"}, {"markup": "1.1"}]}


@st.composite
def plans(draw: st.DrawFn) -> PlanTerms:
    bills = draw(st.booleans())
    quota = draw(st.sampled_from([-1, 0, 500, 10_000]))
    fields: dict[str, Any] = {
        "monthly_price": draw(st.sampled_from(["0", "10", "9.99"])),
        "monthly_quota": quota,
        "overage": "bill" if bills else "refuse",
        "price_per_request": draw(st.sampled_from(["0", "0.000125"])),
        "minimum_spend": draw(st.sampled_from(["0", "40"])),
        "traffic_gb_price": draw(st.sampled_from(["0", "0.08"])),
        "stream_minute_price": draw(st.sampled_from(["0", "0.06"])),
        "price_rules": draw(
            st.sampled_from(
                [
                    [],
                    [{"model": "gpt-4o", "rate": "2.5"}],
                    [{"model": "gpt-*", "tiers": {"mode": draw(st.sampled_from(MODES)), **RATES}}],
                    [
                        {"kind": "output", "rate": "1"},
                        {"tiers": {"mode": draw(st.sampled_from(MODES)), **MARKUPS}},
                    ],
                    [{"kind": "image", "tiers": {"mode": draw(st.sampled_from(MODES)), **RATES}}],
                ]
            )
        ),
        "volume_discounts": draw(
            st.sampled_from([[], [{"above": "1", "percent": "10"}, {"above": "5", "percent": "33.3333"}]])
        ),
    }
    if bills and quota >= 0:
        fields["overage_price"] = draw(
            st.sampled_from(
                [
                    None,
                    {"per": "tokens", "block": 1_000, "price": "0.25"},
                    {"per": "requests", "price": "0.02"},
                ]
            )
        )
    return terms(**fields)


def of(
    agreed: Contract, given_records: Sequence[UsageEntry], segments: Sequence[Segment] | None = None
) -> Rated:
    return rated(agreed, START, given_records, segments=segments)


def exact(of: Rated) -> dict[tuple[str, str, str | None, str | None], Decimal]:
    """Before rounding, by kind, words, project and model; what is agreed on in cents as it is."""
    found: dict[tuple[str, str, str | None, str | None], Decimal] = defaultdict(Decimal)
    for each in of.charges:
        amount = each.net if each.kind in ("subscription", "minimum", "discount") else each.exact
        found[each.kind, each.text, each.project_id, each.model] += amount
    return dict(found)


@settings(max_examples=50)
@given(plans(), calls, st.randoms())
def test_order_and_repetition_change_nothing(agreed: PlanTerms, made: list[Call], random: Any) -> None:
    told = recorded(contract(agreed), made)
    again = [*told, *(each for each in told if random.random() < 0.5)]
    random.shuffle(again)
    assert of(contract(agreed), told) == of(contract(agreed), again)


@settings(max_examples=50)
@given(plans(), calls, st.lists(instants, max_size=3))
def test_a_cut_that_changes_no_terms_changes_no_sum(
    agreed: PlanTerms, made: list[Call], cuts: list[datetime]
) -> None:
    # Without what depends on lines that were rounded apart.
    agreed = agreed.model_copy(update={"volume_discounts": (), "minimum_spend": Decimal(0)})
    whole = contract(agreed)
    told = recorded(whole, made)
    (segment,) = whole.segments(MONTH)
    bounds = sorted({START, END, *cuts})
    pieces = [replace(segment, period=Period(*pair)) for pair in pairwise(bounds)]
    once, cut = exact(of(whole, told)), exact(of(whole, told, pieces))
    for key in once.keys() | cut.keys():
        # A line of less than half a cent is not written.
        assert abs(once.get(key, Decimal()) - cut.get(key, Decimal())) < Decimal("0.005") * len(pieces), key


@settings(max_examples=50)
@given(plans(), plans(), calls, instants)
def test_nothing_is_below_zero_and_lines_add_up(
    agreed: PlanTerms, then: PlanTerms, made: list[Call], changed: datetime
) -> None:
    assume(changed != START)
    plans_given = {"a": agreed, "b": then.model_copy(update={"name": "B"})}
    both = contract(plans_given, subscribed("a", LONG_AGO, changed), subscribed("b", changed))
    rated_both = of(both, recorded(both, made))
    assert rated_both.net == sum(each.net for each in rated_both.charges) >= 0
    assert all(each.net for each in rated_both.charges)
    assert all(each.net > 0 for each in rated_both.charges if each.kind not in ("discount", "sla_credit"))
    for each in rated_both.lines("org_1", "fr", "Europe/Paris"):
        assert each.unit_price >= 0
        assert abs(each.quantity * each.unit_price / each.base_quantity - each.net) <= Decimal("0.005")


@settings(max_examples=50)
@given(plans(), plans(), calls, instants, st.integers(0, 20_000))
def test_of_all_usage_the_first_tokens_are_included_and_nothing_is_lost(
    agreed: PlanTerms, then: PlanTerms, made: list[Call], changed: datetime, included: int
) -> None:
    assume(changed != START)
    both = contract({"a": agreed, "b": then}, subscribed("a", LONG_AGO, changed), subscribed("b", changed))
    segments, told = both.segments(MONTH), recorded(both, made)
    usage = asyncio.run(gather(Records(told), "org_1", segments, included))

    def total(part: str, name: str) -> int:
        return sum(getattr(each, name) for used in usage for each in getattr(used, part))

    def tokens(part: str) -> int:
        return sum(each.usage.total_tokens for used in usage for each in getattr(used, part))

    counted = sum(
        each.sum.usage.total_tokens
        for each in told
        if any(metered(segment) and each.occurred_at in segment.period for segment in segments)
    )
    assert tokens("included") == min(included, counted)
    assert tokens("included") + tokens("charged") == sum(each.sum.usage.total_tokens for each in told)
    for name in ("requests", "price_nano", "price_nano_tokens", "request_bytes", "stream_ms"):
        assert total("included", name) + total("charged", name) == sum(
            getattr(each.sum, name) for each in told
        )


@given(plans(), plans(), instants)
def test_a_quota_is_never_less_than_its_share_nor_more_than_the_larger_one(
    agreed: PlanTerms, then: PlanTerms, changed: datetime
) -> None:
    assume(changed != START)
    both = contract({"a": agreed, "b": then}, subscribed("a", LONG_AGO, changed), subscribed("b", changed))
    segments = both.segments(MONTH)
    included = included_tokens(segments, MONTH, [])
    quotas = [each.terms.monthly_quota for each in segments if each.terms is not None and metered(each)]
    assert 0 <= included <= max([0, *quotas])
    if len(quotas) == len(segments):
        assert included >= min(quotas)


@given(
    st.lists(
        st.tuples(st.integers(0, 1_000), st.integers(0, 100)), max_size=4, unique_by=lambda pair: pair[0]
    ).map(sorted),
    st.decimals(0, 5_000, places=2),
)
def test_a_discount_is_between_nothing_and_the_highest_percentage(
    steps: list[tuple[int, int]], base: Decimal
) -> None:
    discounts = [VolumeDiscount(above=Decimal(above), percent=Decimal(percent)) for above, percent in steps]
    off = discounted(base, discounts)
    highest = max((percent for _, percent in steps), default=0)
    assert 0 <= off <= (base * highest / 100).quantize(Decimal("0.01")) + Decimal("0.01")
    assert off <= discounted(base + 1, discounts)
