"""The worker's look at work that goes on at the provider, at the moment that a test wants."""

from datetime import UTC, datetime, timedelta

from ledger.database import close_pool, open_pool
from proxy.deferred.collector import collecting
from tests.system import System


async def collect(house: System, after: timedelta = timedelta(minutes=1)) -> None:
    """As if so much time had passed."""
    pool = await open_pool(house.database_url, size=4)
    try:
        async with collecting(house.settings) as collector:
            await collector.collect(pool, datetime.now(UTC) + after)
    finally:
        await close_pool(pool)
