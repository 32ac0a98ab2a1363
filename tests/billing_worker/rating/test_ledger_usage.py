"""What rating is told of usage agrees, whether it is told as sums, by hours or record by record."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_worker.rating.ledger_usage import LedgerUsage
from billing_worker.rating.usage import summed
from ledger.database import Pool, transaction
from ledger.periods import Period
from tests.usage import enter

START = datetime(2026, 3, 28, 20, tzinfo=UTC)


@pytest.fixture
async def filled(pool: Pool) -> Pool:
    chance = random.Random(1)
    for number in range(120):
        await enter(
            pool,
            f"req_{number:03}",
            chance.choice(("org_a", "org_a", "org_b")),
            occurred_at=START + timedelta(seconds=chance.randrange(0, 60 * 3600, 300)),
            project_id=chance.choice((None, "proj_1")),
            model=chance.choice(("a", "b")),
            currency=chance.choice(("EUR", "USD")),
            stream=chance.random() < 0.5,
            input_tokens=chance.randrange(1000),
            price_nano=chance.randrange(10**9),
            price_nano_tokens=chance.randrange(10**9),
            quantities=chance.choice(({}, {"images": 2})),
        )
    return pool


minutes = st.integers(-60, 61 * 60)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=minutes, length=st.integers(0, 61 * 60))
async def test_sums_hours_and_records_agree_for_every_span(filled: Pool, start: int, length: int) -> None:
    period = Period(START + timedelta(minutes=start), START + timedelta(minutes=start + length))
    async with transaction(filled) as connection:
        source = LedgerUsage(connection)
        sums = await source.sums("org_a", period)
        hours = await source.tokens_by_hour("org_a", period)
        entries = [entry async for entry in source.entries("org_a", period)]
    assert summed(sums) == summed(entry.sum for entry in entries)
    assert len(summed(sums)) == len(sums)
    assert [(entry.occurred_at, entry.request_id) for entry in entries] == sorted(
        (entry.occurred_at, entry.request_id) for entry in entries
    )
    tokens: Counter[Any] = Counter()
    for entry in entries:
        hour = entry.occurred_at.replace(minute=0, second=0, microsecond=0)
        tokens[max(hour, period.start)] += entry.sum.usage.total_tokens
    assert [(hour.start, hour.tokens) for hour in hours] == sorted(tokens.items())


async def test_a_sum_tells_how_long_streams_lasted(pool: Pool) -> None:
    await enter(pool, "req_1", "org_a", occurred_at=START, stream=True, duration_ms=700)
    await enter(pool, "req_2", "org_a", occurred_at=START, stream=False, duration_ms=9_000)
    async with transaction(pool) as connection:
        [total] = await LedgerUsage(connection).sums("org_a", Period(START, START + timedelta(hours=1)))
    assert (total.requests, total.stream_ms) == (2, 700)
