"""Reports of months that went into the archive say what they said before."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from billing_worker.app import run_once
from billing_worker.reports.catalogue import TEMPLATES
from billing_worker.reports.reporting import Request, make
from config.settings import load_settings
from ledger import organizations
from ledger.archive.store import ArchiveUnavailable
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Pool, reading, transaction
from ledger.usage_filter import Filter
from tests.billing_worker.reports.conftest import NOW
from tests.usage import enter

# September there begins within an hour of UTC; the second span cuts two more.
ZONE = "Asia/Kolkata"
SEPTEMBER = (datetime(2025, 8, 31, 18, 30, tzinfo=UTC), datetime(2025, 9, 30, 18, 30, tzinfo=UTC))
MORNING = (datetime(2025, 9, 3, 7, 10, 3, tzinfo=UTC), datetime(2025, 9, 3, 10, 47, tzinfo=UTC))


@pytest.fixture
async def customer(pool: Pool) -> str:
    """With usage all over September 2025."""
    async with transaction(pool) as connection:
        made = await organizations.create(connection, "test", name="Pune", time_zone=ZONE)
    chance = random.Random(7)
    for number in range(80):
        span = SEPTEMBER if number % 2 else MORNING
        await enter(
            pool,
            f"req_{number:03}",
            made.id if number % 5 else "org_other",
            occurred_at=span[0]
            + timedelta(seconds=chance.randrange(int((span[1] - span[0]).total_seconds()))),
            model=chance.choice(("gpt-4o", "o3")),
            stream=chance.random() < 0.5,
            status=chance.choice((200, 200, 503)),
            duration_ms=chance.randrange(3_000),
            first_byte_ms=chance.choice((None, 40)),
            price_nano=0,
            price_nano_eur=chance.randrange(10**9),
        )
    return made.id


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != "revenue"])
async def test_archived_usage_is_reported_as_it_was(
    name: Any, database_url: str, pool: Pool, tmp_path: Path, customer: str
) -> None:
    archive = ArchivedUsage(str(tmp_path))
    wishes = [
        Request(name, "json", "en", Filter(organization_id=who, model=model), *span)
        for span in (SEPTEMBER, MORNING)
        for who, model in ((customer, None), (customer, "o3"), (None, None))
    ]

    async def told(archive: ArchivedUsage) -> list[Any]:
        return [orjson.loads((await make(pool, wish, NOW, archive=archive)).content) for wish in wishes]

    before = await told(NOWHERE)
    assert all(each["rows"] for each in before)
    settings = load_settings({"DATABASE_URL": database_url, "TOLLKEEPER_ARCHIVE_URL": str(tmp_path)})
    await run_once(settings, "archive", NOW)
    async with reading(pool) as connection:
        assert await connection.fetchval("select count(*) from usage") == 0
    assert await told(archive) == before
    with pytest.raises(ArchiveUnavailable, match="2025-09"):
        await make(pool, wishes[3], NOW)
