"""US dollars per euro by day, as published; money is converted with the day's rate once and never again."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from csv import DictReader
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from ledger.rating import half_even


class ExchangeRateError(ValueError):
    """Rates that cannot be used, or a day that none is known for; the message names which."""


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars for one euro. `day` is the day of publication, maybe before the day it is used for."""

    day: date
    per_euro: Decimal
    source: str

    def __post_init__(self) -> None:
        if not self.per_euro.is_finite() or self.per_euro <= 0:
            raise ExchangeRateError(f"{self.day}: {self.per_euro} dollars per euro is no exchange rate")


class _Connection(Protocol):
    async def fetch(self, query: str, /, *args: Any) -> Any: ...


class ExchangeRates:
    """Rates of the US dollar. Immutable."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._rates = sorted(rates, key=lambda rate: rate.day)
        self._days = [rate.day for rate in self._rates]
        for day, following in pairwise(self._days):
            if day == following:
                raise ExchangeRateError(f"{day} has two rates")

    @classmethod
    def load(cls, path: Path) -> "ExchangeRates":
        """Read a table such as config/prices/exchange_rates.csv: day, currency, per_euro, source."""
        try:
            with path.open(newline="") as lines:
                return cls.from_rows(list(DictReader(lines, strict=True)))
        except (KeyError, TypeError, InvalidOperation) as error:
            raise ExchangeRateError(f"{path.name} is not a table of exchange rates: {error!r}") from error

    @classmethod
    def from_rows(cls, rows: Iterable[Any]) -> "ExchangeRates":
        """Rows of exchange_rate, as records or mappings; other currencies than USD are passed over."""
        return cls(
            Rate(
                day=row["day"] if isinstance(row["day"], date) else date.fromisoformat(row["day"]),
                per_euro=Decimal(row["per_euro"]),
                source=row["source"],
            )
            for row in rows
            if row["currency"] == "USD"
        )

    def __iter__(self) -> Iterator[Rate]:
        return iter(self._rates)

    def rows(self) -> list[dict[str, Any]]:
        """Rows of exchange_rate."""
        return [
            {"day": rate.day, "currency": "USD", "per_euro": rate.per_euro, "source": rate.source}
            for rate in self._rates
        ]

    def rate_for(self, day: date) -> Rate:
        """The latest rate published on or before `day`: none is published on weekends and holidays.

        Raises ExchangeRateError where the first known rate is later.
        """
        known = bisect_right(self._days, day)
        if not known:
            raise ExchangeRateError(f"no exchange rate is known for {day}")
        return self._rates[known - 1]


def nano_usd_to_eur(nano_usd: int, rate: Rate) -> int:
    """Nano-EUR, rounded half to even."""
    dollars, euros = rate.per_euro.as_integer_ratio()
    return half_even(nano_usd * euros, dollars)


_STORE: Final = """
insert into exchange_rate (day, currency, per_euro, source)
select day, currency, per_euro, source
from jsonb_to_recordset($1::text::jsonb) as given (day date, currency text, per_euro numeric, source text)
on conflict (currency, day) do nothing
"""


async def store(connection: _Connection, rates: ExchangeRates) -> None:
    """Add the days that exchange_rate lacks. A rate is never replaced: records were made with it."""
    rows = [row | {"per_euro": str(row["per_euro"])} for row in rates.rows()]
    await connection.fetch(_STORE, orjson.dumps(rows).decode())
