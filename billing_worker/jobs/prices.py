"""The price list is read where it is kept, and holds from then on."""

import asyncio
from datetime import datetime
from typing import Final

from billing_worker.fetching import FetchError, fetch
from billing_worker.job import Context, Report
from config.settings import Settings
from ledger import audit, price_rows
from ledger.database import transaction
from ledger.price_changes import price_changes
from ledger.price_file import parse_price_list
from ledger.prices import PriceList

LARGEST: Final = 8 * 1024 * 1024
ACTOR: Final = "price list"
_READ_SECONDS: Final = 15.0
_NAMED: Final = 50


async def prices(context: Context, at: datetime) -> Report:
    """New prices from `at` on where the list has others; those before end then and are not touched otherwise.

    Without the settings, nothing is done. Raises FetchError, OSError, and PriceListError for a list that cannot be
    used: nothing of it is taken then.
    """
    data = await _read(context.settings)
    if data is None:
        return {"read": False}
    listed = await asyncio.to_thread(parse_price_list, data, "the price list")
    async with transaction(context.pool) as connection:
        await price_rows.lock(connection)
        held = PriceList.from_rows(await connection.fetch("select * from model_price"))
        changes = price_changes(listed, held, at)
        await price_rows.end(connection, changes.ended, at)
        await price_rows.store(connection, PriceList(changes.new))
        if changes.new:
            detail = {"new": [price.ref for price in changes.new][:_NAMED], "count": len(changes.new)}
            for provider in sorted({price.provider for price in changes.new}):
                await audit.write(connection, ACTOR, "prices.refresh", provider, detail)
    return {"read": True, "new": len(changes.new), "kept": [price.ref for price in changes.kept][:_NAMED]}


async def _read(settings: Settings) -> bytes | None:
    sources = settings.sources
    if sources.prices_url is not None:
        return await fetch(sources.prices_url, settings.outbound, LARGEST)
    if (file := sources.prices_file) is None:
        return None

    def read() -> bytes:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)

    async with asyncio.timeout(_READ_SECONDS):
        data = await asyncio.to_thread(read)
    if len(data) > LARGEST:
        raise FetchError(f"{file.name} has more than {LARGEST} bytes")
    return data
