"""What tests of rating have in common: contracts and usage put together in memory, and rated."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing_worker.rating import calendar
from billing_worker.rating.quota import gather, included_tokens
from billing_worker.rating.rate import Facts, Rated, rate
from billing_worker.rating.segments import Contract, Segment
from billing_worker.rating.usage import HourTokens, UsageEntry, UsageSum, summed
from ledger.adjustments import Adjustment
from ledger.invoice import Currency
from ledger.periods import Period
from ledger.plan_history import DatedTerms
from ledger.plans import PlanTerms
from ledger.service_levels import ServiceLevel
from ledger.subscriptions import Subscription
from ledger.token_packs import TokenPack
from ledger.usage import Usage

PARIS = ZoneInfo("Europe/Paris")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def paris(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=PARIS).astimezone(UTC)


def entry(
    request_id: str,
    at: datetime,
    tokens: int = 0,
    price: str = "0",
    *,
    of_tokens: str | None = None,
    model: str = "gpt-4o",
    project: str | None = None,
    currency: Currency = "EUR",
    **more: Any,
) -> UsageEntry:
    """A record of so many input tokens, sold for `price`, all of it for tokens unless `of_tokens` says how much."""
    usage = more.pop("usage", None) or Usage(input_tokens=tokens, quantities=more.pop("quantities", {}))
    return UsageEntry(
        occurred_at=at,
        request_id=request_id,
        provider_cost_nano_usd=more.pop("cost", 0),
        usd_per_eur=Decimal("1.16"),
        sum=UsageSum(
            project_id=project,
            model=model,
            currency=currency,
            requests=1,
            usage=usage,
            price_nano=nano(price),
            price_nano_tokens=nano(price if of_tokens is None else of_tokens),
            **more,
        ),
    )


def nano(amount: str) -> int:
    return int(Decimal(amount) * 10**9)


@dataclass(frozen=True)
class Records:
    """A source of usage: each request once, whatever is told twice, in any order."""

    entries_given: Sequence[UsageEntry]

    def _within(self, period: Period) -> list[UsageEntry]:
        once = {each.request_id: each for each in self.entries_given if each.occurred_at in period}
        return sorted(once.values(), key=lambda each: (each.occurred_at, each.request_id.encode()))

    async def sums(self, organization_id: str, period: Period) -> Sequence[UsageSum]:
        return summed(each.sum for each in self._within(period))

    async def tokens_by_hour(self, organization_id: str, period: Period) -> Sequence[HourTokens]:
        hours: dict[datetime, int] = {}
        for each in self._within(period):
            hour = each.occurred_at.replace(minute=0, second=0, microsecond=0)
            start = max(hour, period.start)
            hours[start] = hours.get(start, 0) + each.sum.usage.total_tokens
        return [HourTokens(start, tokens) for start, tokens in sorted(hours.items())]

    async def entries(self, organization_id: str, period: Period) -> AsyncIterator[UsageEntry]:
        for each in self._within(period):
            yield each


def terms(**fields: Any) -> PlanTerms:
    return PlanTerms.model_validate({"name": "Pro", **fields})


def subscribed(
    plan: str = "plan_1", start: datetime = LONG_AGO, end: datetime | None = None, **fields: Any
) -> Subscription:
    return Subscription(
        id=f"sub_{plan}_{start:%Y%m%d%H%M}",
        organization_id="org_1",
        plan_id=plan,
        start=start,
        end=end,
        created_at=start,
        **{"billing_interval": "month", "period_anchor": "calendar", "trial_ends_at": None, **fields},
    )


def contract(
    given: PlanTerms | Mapping[str, PlanTerms | Sequence[tuple[datetime, PlanTerms]]],
    *subscriptions: Subscription,
    zone: str = "Europe/Paris",
) -> Contract:
    plans = given if isinstance(given, Mapping) else {"plan_1": given}
    history = {
        plan: [DatedTerms(LONG_AGO, of)]
        if isinstance(of, PlanTerms)
        else [DatedTerms(at, each) for at, each in of]
        for plan, of in plans.items()
    }
    return Contract(zone, subscriptions or (subscribed(),), history)


def pack(tokens: int, at: datetime, price: str = "0") -> TokenPack:
    return TokenPack(
        id=f"pack_{at:%d%H}",
        organization_id="org_1",
        tokens=tokens,
        price=Decimal(price),
        currency="EUR",
        note=None,
        starts_at=at,
        ends_at=at + timedelta(days=30),
        created_at=at,
    )


def rated(
    agreed: Contract,
    at: datetime,
    entries: Iterable[UsageEntry] = (),
    *,
    currency: Currency = "EUR",
    packs: Sequence[TokenPack] = (),
    adjustments: Sequence[Adjustment] = (),
    measured: ServiceLevel | None = None,
    priced_as: Mapping[str, str] | None = None,
    segments: Sequence[Segment] | None = None,
) -> Rated:
    """The billing period around `at`."""
    (time,) = calendar.periods(
        agreed.subscriptions, Period(at, at + timedelta(microseconds=1)), agreed.time_zone
    )
    cut = segments or agreed.segments(time.period)
    bought = [each for each in packs if each.starts_at in time.period]
    included = included_tokens(cut, time.whole, bought)
    usage = asyncio.run(gather(Records(tuple(entries)), "org_1", cut, included))
    facts = Facts(
        contract=agreed,
        time=time,
        usage=usage,
        packs=bought,
        adjustments=adjustments,
        measured=measured,
        priced_as=priced_as or {},
    )
    return rate(facts, currency)


def amounts(of: Rated) -> list[tuple[str, str]]:
    """Each charge by its words and its net."""
    return [(each.text, str(each.net)) for each in of.charges]


def at_cost(given: UsageEntry, **fields: Any) -> UsageEntry:
    return replace(given, sum=replace(given.sum, **fields))
