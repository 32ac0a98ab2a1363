"""How well an organization was served, from its records."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ledger.database import Pool, reading
from ledger.periods import Period
from ledger.service_levels import ServiceLevel, measure
from tests.usage import enter

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = Period(START, START + timedelta(hours=1))


async def at(pool: Pool, number: int, minute: float, **fields: Any) -> None:
    when = START + timedelta(minutes=minute)
    await enter(pool, f"req_{number}", fields.pop("organization", "org_1"), occurred_at=when, **fields)


async def measured(pool: Pool) -> ServiceLevel:
    async with reading(pool) as connection:
        return await measure(connection, "org_1", HOUR)


async def test_a_minute_is_down_if_most_of_its_requests_failed(pool: Pool) -> None:
    await at(pool, 1, 0, status=503)
    await at(pool, 2, 0.5, status=200)
    await at(pool, 3, 1, status=502)
    await at(pool, 4, 1.1, status=500)
    await at(pool, 5, 1.2)
    await at(pool, 6, 60, status=500)
    await at(pool, 7, 2, status=500, organization="org_2")
    level = await measured(pool)
    assert (level.minutes, level.minutes_down, level.requests, level.failed) == (60, 1, 5, 3)
    # 59 of 60 minutes, 3 of 5 requests; what is not exact is rounded against us
    assert level.of("uptime") == Decimal("98.333")
    assert level.of("error_rate") == Decimal("60.000")


async def test_what_the_caller_did_wrong_or_gave_up_is_no_failure_and_what_broke_off_is_one(
    pool: Pool,
) -> None:
    for number, (status, outcome, endpoint) in enumerate(
        [
            (200, "completed", "chat"),
            (400, "completed", "chat"),
            (429, "upstream_error", "/v1/realtime"),
            (499, "client_gone", "chat"),
            (200, "stopped", "/v1/realtime"),
            (200, "upstream_cut", "chat"),
            (200, "stopped", "chat"),
            (0, "expired", "chat"),
        ]
    ):
        await at(pool, number, number, status=status, outcome=outcome, endpoint=endpoint)
    assert (await measured(pool)).failed == 3


async def test_latency_is_to_the_first_byte_of_what_did_not_fail(pool: Pool) -> None:
    for number in range(20):
        await at(pool, number, number, first_byte_ms=100 + number, duration_ms=9_000)
    await at(pool, 20, 30, status=500, first_byte_ms=60_000)
    # The 19th of 20
    assert (await measured(pool)).of("latency") == 118


async def test_where_nothing_happened_nothing_was_broken(pool: Pool) -> None:
    level = await measured(pool)
    assert (level.of("uptime"), level.of("error_rate"), level.of("latency")) == (Decimal(100), None, None)
