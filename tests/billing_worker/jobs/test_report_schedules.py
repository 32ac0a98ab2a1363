from datetime import UTC, datetime, timedelta
from io import BytesIO

import openpyxl
import pytest

from billing_worker.app import run_once
from billing_worker.reports import template
from billing_worker.reports.spans import last_span
from config.settings import Settings
from ledger import alerts, notifications, report_schedules
from ledger.database import Pool, reading, transaction
from ledger.report_schedules import Cadence, ReportTerms
from tests.billing_worker.jobs.tenants import tenant, told
from tests.usage import enter

# A Saturday; in Paris the clocks went back on 25 October.
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cadence", "start", "end"),
    [
        ("daily", "2026-11-19T23:00Z", "2026-11-20T23:00Z"),
        ("weekly", "2026-11-08T23:00Z", "2026-11-15T23:00Z"),
        ("monthly", "2026-09-30T22:00Z", "2026-10-31T23:00Z"),
    ],
)
def test_spans_are_of_the_calendar(cadence: Cadence, start: str, end: str) -> None:
    span = last_span(AT, cadence, "Europe/Paris")
    assert (span.start, span.end) == (datetime.fromisoformat(start), datetime.fromisoformat(end))


async def schedule(pool: Pool, now: datetime, **terms: object) -> str:
    given = {"template": "usage", "format": "xlsx", "cadence": "daily", **terms}
    async with transaction(pool) as connection:
        made = await report_schedules.create(connection, "test", ReportTerms.model_validate(given), now=now)
    return made.id


async def test_each_span_is_reported_once_as_it_ends(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    await enter(pool, "req_1", organization, occurred_at=AT)
    await schedule(pool, AT, organization_id=organization)
    counts = []
    for hours in (0, 11, 13, 14, 36, 37):
        await run_once(settings, "report_schedules", AT + timedelta(hours=hours))
        counts.append(len(await told(pool)))
    assert counts == [0, 0, 1, 1, 2, 2]
    first, _ = await told(pool, organization)
    assert first.facts["start"] == "2026-11-21T00:00:00Z"
    async with reading(pool) as connection:
        (attached,) = await notifications.attached(connection, first.id)
    assert attached.name == "usage-20261121.xlsx"
    sheet = openpyxl.load_workbook(BytesIO(attached.content)).worksheets[0]
    assert sheet["G2"].value == 1


async def test_a_report_of_all_goes_to_who_was_named(settings: Settings, pool: Pool) -> None:
    await schedule(pool, AT, template="revenue", format="csv", recipients=["boss@example.com"])
    await run_once(settings, "report_schedules", AT + timedelta(days=1))
    (found,) = await told(pool)
    assert [each.recipient for each in found.deliveries] == ["boss@example.com"]
    assert found.attachments == ("revenue-20261121.csv",)


async def test_a_report_that_cannot_be_made_is_an_alert_and_stops_no_other(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization, _ = await tenant(pool)
    for number in range(2):
        await enter(pool, f"req_{number}", organization, occurred_at=AT, model=f"model-{number}")
    broken = await schedule(pool, AT)
    await schedule(pool, AT, template="sla")
    monkeypatch.setattr(template, "MAX_ROWS", 1)
    later = AT + timedelta(days=1)
    await run_once(settings, "report_schedules", later)
    async with reading(pool) as connection:
        assert [each.object for each in await alerts.listing(connection, ended=False)] == [broken]
    assert [each.facts["title"] for each in await told(pool)] == ["Service levels"]
    monkeypatch.undo()
    await run_once(settings, "report_schedules", later)
    async with reading(pool) as connection:
        assert await alerts.listing(connection, ended=False) == []
    assert len(await told(pool)) == 2
