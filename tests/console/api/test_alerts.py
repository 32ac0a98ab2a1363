from datetime import UTC, datetime

import pytest

from ledger import alerts
from ledger.database import Pool, reading
from tests.console.running import Console, refused

PATH = "/api/admin/alerts"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def raised(pool: Pool) -> None:
    """Two open alerts and one that has ended."""
    async with reading(pool) as connection:
        for name in ("a", "b", "c"):
            await alerts.raise_(connection, "job_failed", name, "error", f"{name} failed", at=NOON)
        await alerts.resolve(connection, "job_failed", "b", at=NOON)


async def test_open_alerts_are_listed_the_newest_first_and_ended_ones_apart(console: Console) -> None:
    rows = await console.all_pages(PATH, 1)
    assert [row["object"] for row in rows] == ["c", "a"]
    assert rows[0]["raised_at"] == "2026-11-21T12:00:00Z"
    (ended,) = await console.all_pages(f"{PATH}?ended=true", 10)
    assert (ended["object"], ended["ended_at"]) == ("b", "2026-11-21T12:00:00Z")
    assert await console.all_pages(f"{PATH}?kind=quota", 10) == []


async def test_who_acknowledges_an_alert_first_stays_named_and_it_stays_open(console: Console) -> None:
    number = (await console.admin.get(PATH)).json()["data"][0]["id"]
    first = (await console.admin.post(f"{PATH}/{number}/acknowledge")).json()
    again = (await console.admin.post(f"{PATH}/{number}/acknowledge")).json()
    assert first == again
    assert (first["acknowledged_by"], first["ended_at"]) == ("admin token", None)
    entries = (await console.admin.get(f"/api/admin/audit?object={number}")).json()["data"]
    assert entries[0]["action"] == "alert.acknowledge"
    assert entries[0]["detail"] == {"kind": "job_failed", "object": "c"}


async def test_an_alert_that_has_ended_or_never_was_cannot_be_acknowledged(console: Console) -> None:
    ended = (await console.admin.get(f"{PATH}?ended=true")).json()["data"][0]["id"]
    refused(await console.admin.post(f"{PATH}/{ended}/acknowledge"), 409)
    for number in ("999999", "x", "9" * 30):
        refused(await console.admin.post(f"{PATH}/{number}/acknowledge"), 404)


async def test_only_administrators_come_in(console: Console) -> None:
    assert (await console.nobody.get(PATH)).status_code == 401
    assert (await console.nobody.post(f"{PATH}/1/acknowledge")).status_code == 401
