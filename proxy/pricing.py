"""What a request costs and sells for: the price that applies, the plan's tariff, the day's euro rate."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import structlog

from ledger.database import DatabaseUnavailable, Pool, reading
from ledger.exchange import ExchangeRateError, ExchangeRates, Rate, nano_usd_to_eur
from ledger.prices import Price, PriceList
from ledger.rating import Tariff, cost, unpriced
from ledger.usage import Usage
from proxy.plain_rates import PlainRates
from proxy.record.money import FREE, Money

_REFRESH_SECONDS: Final = 60.0
_ANY_OUTPUT: Final = 10**9
_MOST_QUOTES: Final = 4096
_FASTEST: Final = "ultrafast"
_FASTER: Final = frozenset({"fast", _FASTEST})
_NOTHING: Final[Mapping[str, int]] = {}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Quote:
    """The money side of one request. Without an `entry` in the price list everything costs nothing."""

    entry: Price | None
    tariff: Tariff
    rate: Rate
    service_tier: str = "default"
    plain: PlainRates | None = field(init=False, repr=False, compare=False)
    """None where nothing has a price."""

    def __post_init__(self) -> None:
        plain = None if self.entry is None else PlainRates(self.entry, self.tariff, self.rate, self._tier)
        object.__setattr__(self, "plain", plain)

    @property
    def usd_per_eur(self) -> Decimal:
        return self.rate.per_euro

    @property
    def _tier(self) -> str:
        """The one whose rates apply: those of `priority` also for its other name, and for what is faster still."""
        listed = {} if self.entry is None else self.entry.sheets
        return (
            "priority"
            if self.service_tier in _FASTER and self.service_tier not in listed
            else self.service_tier
        )

    @property
    def ref(self) -> str | None:
        return None if self.entry is None else self.entry.ref

    def money(self, usage: Usage) -> Money:
        if self.entry is None or self.plain is None:
            return FREE
        if self.plain.holds_for(usage):
            return self.plain.money(usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
        cost_usd = cost(usage, self.entry, service_tier=self._tier)
        price, of_tokens = self.tariff.price(usage, self.entry, self.usd_per_eur, service_tier=self._tier)
        return Money(cost_usd, nano_usd_to_eur(cost_usd, self.rate), price, self._in_eur(price), of_tokens)

    def served(self, tier: str | None) -> "Quote":
        """By the service tier that an answer names, else by the one that was asked for."""
        return self if tier is None or tier == self.service_tier else replace(self, service_tier=tier)

    @property
    def held(self) -> "Quote":
        """By the dearest tier that the call may be served at: `flex` at the standard one, where it has no room. What
        asks for `auto`, or for none, is taken for standard: it is priority only if the provider's project says so."""
        return replace(self, service_tier="default") if self.service_tier == "flex" else self

    def unpriced(self, usage: Usage) -> list[str]:
        """What of `usage` has no rate here, sorted; nothing for a model without a price at all."""
        if self.entry is None:
            return []
        kinds = unpriced(usage, self.entry, service_tier=self._tier)
        beyond = self.service_tier == _FASTEST and _FASTEST not in self.entry.sheets
        return [*kinds, f"the service tier {_FASTEST}"] if beyond else kinds

    def most(self, input_tokens: int, output_tokens: int, quantities: Mapping[str, int] = _NOTHING) -> int:
        """An upper bound of the selling price, in nano-units of the plan's currency."""
        if self.entry is None or self.plain is None:
            return 0
        if not output_tokens and not quantities and input_tokens <= self.plain.up_to:
            return self.plain.most(input_tokens)
        return self.tariff.upper_bound(
            input_tokens,
            output_tokens,
            self.entry,
            self.usd_per_eur,
            quantities=quantities,
            service_tier=self._tier,
        )

    def most_per_output_token(self, input_tokens: int) -> int:
        """What each output token after such an input adds to `most` at the most, in nano-units, rounded up.

        Over sheets of prices `most` is convex, so its chord up to more tokens than any answer has lies above it.
        """
        if self.plain is not None and input_tokens <= self.plain.up_to:
            return self.plain.most_per_output
        return -(-(self.most(input_tokens, _ANY_OUTPUT) - self.most(input_tokens, 0)) // _ANY_OUTPUT)

    def output_money(self, input_tokens: int, *, spoken: bool = False) -> Money:
        """Each output token's part after such an input, by the plain text rate, or that of sound, for whoever must
        settle without the answer."""
        if self.plain is not None and not spoken and input_tokens <= self.plain.up_to:
            return self.plain.each_output
        sound = 1000 if spoken else 0
        thousand = self.money(Usage(input_tokens=input_tokens, output_tokens=1000, audio_output_tokens=sound))
        none = self.money(Usage(input_tokens=input_tokens))
        cost_usd, cost_eur, price, price_eur, of_tokens = (
            -(-(much - little) // 1000)
            for much, little in (
                (thousand.cost_usd, none.cost_usd),
                (thousand.cost_eur, none.cost_eur),
                (thousand.price, none.price),
                (thousand.price_eur, none.price_eur),
                (thousand.price_tokens, none.price_tokens),
            )
        )
        return Money(cost_usd, cost_eur, price, price_eur, min(of_tokens, price))

    def _in_eur(self, price: int) -> int:
        return price if self.tariff.currency == "EUR" else nano_usd_to_eur(price, self.rate)


class PriceBook:
    """The ledger's prices and rates, as last read. `now` gives the instant that prices are chosen by."""

    def __init__(self, pool: Pool, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now
        self._prices: PriceList | None = None
        self._rates: ExchangeRates | None = None
        self._quotes: dict[tuple[str, int, str], tuple[datetime, datetime, Quote]] = {}
        """By model, tariff (which its quotes keep alive) and tier: from when until when each is right."""

    @property
    def known(self) -> bool:
        return self._prices is not None and self._rates is not None

    async def read(self) -> None:
        """Raises DatabaseUnavailable."""
        async with reading(self._pool) as connection:
            prices = await connection.fetch("select * from model_price")
            rates = await connection.fetch("select * from exchange_rate where currency = 'USD'")
        self._prices = PriceList.from_rows(prices)
        self._rates = ExchangeRates.from_rows(rates)
        self._quotes.clear()

    async def keep_fresh(self, changed: asyncio.Event) -> None:
        """Reads again every minute, and when something in the ledger changed. Runs until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_REFRESH_SECONDS if self.known else 1.0):
                    await changed.wait()
            except TimeoutError:
                pass
            changed.clear()
            try:
                await self.read()
            except DatabaseUnavailable as error:
                _log.warning("prices can't be read again; the last ones stay", error=str(error)[:200])

    def quote(self, model: str, tariff: Tariff, service_tier: str, at: datetime | None = None) -> Quote:
        """By the prices and the rate of `at`, else of now. Raises LookupError before they were read."""
        if at is not None:
            return self._quote(model, tariff, service_tier, at)
        now, name = self._now(), (model, id(tariff), service_tier)
        remembered = self._quotes.get(name)
        if remembered is not None and remembered[0] <= now < remembered[1]:
            return remembered[2]
        quote = self._quote(model, tariff, service_tier, now)
        if len(self._quotes) >= _MOST_QUOTES:
            self._quotes.clear()
        self._quotes[name] = now, self._until(model, now), quote
        return quote

    def _quote(self, model: str, tariff: Tariff, service_tier: str, at: datetime) -> Quote:
        if self._prices is None or self._rates is None:
            raise LookupError("no prices yet")
        try:
            rate = self._rates.rate_for(at.date())
        except ExchangeRateError as error:
            raise LookupError(str(error)) from None
        return Quote(self._prices.price_for(model, at) if model else None, tariff, rate, service_tier)

    def _until(self, model: str, at: datetime) -> datetime:
        """The end of the day, whose rate it is, or when another price applies."""
        day_ends = datetime.combine(at.date() + timedelta(days=1), time(), UTC)
        changes = None if self._prices is None else self._prices.changes_after(model, at)
        return day_ends if changes is None else min(day_ends, changes)
