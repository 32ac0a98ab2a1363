"""The day's exchange rates are fetched where they are published."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from billing_worker.ecb import read_rates
from billing_worker.fetching import fetch
from billing_worker.job import Context, Report
from ledger import alerts, exchange
from ledger.database import Connection, transaction
from ledger.exchange import ExchangeRateError, ExchangeRates, Rate

LARGEST: Final = 32 * 1024 * 1024
FURTHEST: Final = Decimal("0.2")
"""How far a rate may be from the one before it, within NEIGHBOURS: beyond, a fault is likelier than the market."""
NEIGHBOURS: Final = timedelta(days=31)
STALE: Final = "exchange_rate_stale"
"""An alert: there has been no rate for longer than any row of holidays lasts."""
STALE_AFTER: Final = timedelta(days=7)


async def exchange_rates(context: Context, at: datetime) -> Report:
    """Adds the days up to `at` that the ledger lacks; a rate that it has is never replaced. Without the setting,
    nothing is done.

    Raises FetchError, and ExchangeRateError for a document that is not as expected in every part, or has a rate that
    cannot be: nothing of it is taken then.
    """
    url = context.settings.sources.exchange_rates_url
    if url is None:
        return {"fetched": False}
    today = at.astimezone(UTC).date()
    found = read_rates(await fetch(url, context.settings.outbound, LARGEST))
    async with transaction(context.pool) as connection:
        known = ExchangeRates.from_rows(
            await connection.fetch("select * from exchange_rate where currency = 'USD'")
        )
        added = new_rates([rate for rate in found if rate.day <= today], known)
        await exchange.store(connection, ExchangeRates(added))
        last = max((rate.day for rate in (*known, *added) if rate.day <= today), default=None)
        await _alarm(connection, last, today, at)
    return {"fetched": True, "days": len(added), "last": str(last)}


def new_rates(found: list[Rate], known: ExchangeRates) -> list[Rate]:
    """Those of days that are not known. Raises ExchangeRateError if one is too far from its neighbour."""
    days = {rate.day for rate in known}
    new = [rate for rate in found if rate.day not in days]
    for earlier, later in pairwise(sorted([*new, *known], key=lambda rate: rate.day)):
        fresh = later.day not in days or earlier.day not in days
        near = later.day - earlier.day <= NEIGHBOURS
        if fresh and near and abs(later.per_euro / earlier.per_euro - 1) > FURTHEST:
            raise ExchangeRateError(
                f"{later.day}: {later.per_euro} after {earlier.per_euro} on {earlier.day}"
            )
    return new


async def _alarm(connection: Connection, last: date | None, today: date, at: datetime) -> None:
    if last is not None and today - last <= STALE_AFTER:
        await alerts.resolve(connection, STALE, "USD", at=at)
        return
    message = f"the last exchange rate is that of {last}: no other has been published since"
    await alerts.raise_(connection, STALE, "USD", "warning", message, at=at, detail={"last": str(last)})
