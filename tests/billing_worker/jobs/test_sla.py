"""Whoever is promised a service is looked after while the month runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from billing_worker.app import run_once
from config.settings import Settings
from ledger import alerts
from ledger.database import Pool, reading
from tests.billing_worker.jobs.tenants import tenant
from tests.usage import enter

AT = datetime(2026, 11, 21, 12, 40, tzinfo=UTC)
SLA = {"uptime_percent": "99.9", "error_rate_percent": "5", "latency_ms_p95": 800}


async def seen(settings: Settings, pool: Pool, at: datetime) -> list[tuple[str, str, Any]]:
    await run_once(settings, "sla", at)
    async with reading(pool) as connection:
        found = await alerts.listing(connection, ended=False, kind="sla_broken")
    return [(each.object, each.severity, each.detail) for each in found]


async def test_a_promise_that_the_month_breaks_is_an_alert_until_the_month_is_over(
    settings: Settings, pool: Pool
) -> None:
    organization, _ = await tenant(pool, time_zone="Europe/Paris", sla=SLA)
    without, _ = await tenant(pool)
    for number in range(20):
        for who in (organization, without):
            at = AT - timedelta(days=2, minutes=number)
            await enter(pool, f"req_{who}_{number}", who, occurred_at=at, duration_ms=700)
    assert await seen(settings, pool, AT) == []
    # October in Paris, and what is still to come, are not of this month so far.
    for number, at in enumerate((datetime(2026, 10, 31, 22, 59, tzinfo=UTC), AT)):
        await enter(pool, f"req_out_{number}", organization, occurred_at=at, status=500)
    assert await seen(settings, pool, AT) == []
    for number in range(2):
        for who in (organization, without):
            at = AT - timedelta(days=1, minutes=number)
            await enter(pool, f"req_bad_{who}_{number}", who, occurred_at=at, status=503)
    detail = {"error_rate": "9.091"}
    for _ in range(2):
        assert await seen(settings, pool, AT) == [(organization, "warning", detail)]
    assert await seen(settings, pool, datetime(2026, 11, 30, 23, 0, tzinfo=UTC)) == []


async def test_every_promise_that_is_broken_is_named(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool, sla=SLA)
    for number in range(60):
        at = AT - timedelta(minutes=number)
        await enter(pool, f"req_{number}", organization, occurred_at=at, status=500)
    await enter(pool, "req_slow", organization, occurred_at=AT - timedelta(days=1), duration_ms=9_000)
    ((_, _, detail),) = await seen(settings, pool, AT)
    # 59 of the 29,560 minutes since the month began, and of 60 requests: what comes at this instant is not in it.
    assert detail == {"uptime": "99.800", "error_rate": "98.334", "latency": "9000"}
