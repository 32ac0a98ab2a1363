"""What rating has to know of usage: sums, and single records only for the hour in which a quota ran out."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from ledger.invoice import Currency
from ledger.periods import Period
from ledger.usage import Usage

_NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """Usage records of one project, model and currency, added up; a single record is the sum of itself.

    `requests` is how many records. Money in nano-units of `currency`; `price_nano_tokens` is inside `price_nano`.
    `stream_ms` is how long the streamed ones among them lasted.
    """

    project_id: str | None
    model: str
    currency: Currency
    requests: int = 0
    usage: Usage = _NO_USAGE
    price_nano: int = 0
    price_nano_tokens: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    stream_ms: int = 0

    def __add__(self, other: "UsageSum") -> "UsageSum":
        """Of the same project, model and currency."""
        assert _key(self) == _key(other)
        return replace(
            self,
            requests=self.requests + other.requests,
            usage=self.usage + other.usage,
            price_nano=self.price_nano + other.price_nano,
            price_nano_tokens=self.price_nano_tokens + other.price_nano_tokens,
            request_bytes=self.request_bytes + other.request_bytes,
            response_bytes=self.response_bytes + other.response_bytes,
            stream_ms=self.stream_ms + other.stream_ms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry:
    """One record. `provider_cost_nano_usd` and `usd_per_eur` are what it was made with."""

    occurred_at: datetime
    request_id: str
    provider_cost_nano_usd: int
    usd_per_eur: Decimal
    sum: UsageSum


@dataclass(frozen=True, slots=True)
class HourTokens:
    """Input and output tokens from `start` to the next full hour of UTC, within what was asked for."""

    start: datetime
    tokens: int


class UsageSource(Protocol):
    """Usage of one organization. All answers of one source are of one instant (one transaction, repeatable read), so
    that they agree with each other; each record is in them once. `period` is half-open and may be cut anywhere.
    """

    async def sums(self, organization_id: str, period: Period) -> Sequence[UsageSum]:
        """By project, model and currency; each of these once, in any order."""
        ...

    async def tokens_by_hour(self, organization_id: str, period: Period) -> Sequence[HourTokens]:
        """In the order of time; the first starts at the period's start where that is within an hour. Hours without
        tokens may be missing. Of all currencies and models together."""
        ...

    def entries(self, organization_id: str, period: Period) -> AsyncIterator[UsageEntry]:
        """Single records, ordered by (occurred_at, request_id as bytes). Of an hour at most, but for previews."""
        ...


def summed(sums: Iterable[UsageSum]) -> tuple[UsageSum, ...]:
    """Each project, model and currency once, in their order."""
    found: dict[tuple[str, str, str], UsageSum] = {}
    for each in sums:
        key = _key(each)
        present = found.get(key)
        found[key] = each if present is None else present + each
    return tuple(found[key] for key in sorted(found))


def _key(each: UsageSum) -> tuple[str, str, str]:
    return each.project_id or "", each.model, each.currency
