from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

import config
from billing_worker.app import run_once
from billing_worker.insights.sentences import sentence
from billing_worker.reports.reporting import Request, make
from config.settings import Settings
from ledger import api_keys, insights, plans, price_rows
from ledger.database import Pool, reading, transaction
from ledger.insights import Insight
from ledger.keys import KeyHasher
from ledger.pages import Slice
from ledger.plans import PlanTerms
from ledger.price_file import load_price_list
from ledger.usage_filter import Filter
from tests.billing_worker.insights.weeks import days
from tests.billing_worker.jobs.tenants import tenant, told
from tests.usage import enter

AT = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


@pytest.fixture
async def pool(pool: Pool) -> Pool:
    """With the list of prices."""
    async with transaction(pool) as connection:
        prices = load_price_list(Path(config.__file__).parent / "prices" / "openai.yaml")
        await price_rows.store(connection, prices)
    return pool


async def found(pool: Pool, organization_id: str) -> dict[str, list[Insight]]:
    async with reading(pool) as connection:
        rows = await insights.listing(connection, Slice(), organization_id=organization_id, ended=False)
    by_kind: dict[str, list[Insight]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    return by_kind


async def use(pool: Pool, organization_id: str, values: list[float], **fields: Any) -> None:
    """A call each day up to yesterday; a thousand tokens and a euro for each thousand of the value."""
    for number, value in enumerate(values):
        at = datetime(2026, 11, 20, 12, tzinfo=UTC) - timedelta(days=len(values) - 1 - number)
        row = {
            "input_tokens": int(value * 100),
            "cached_input_tokens": 0,
            "price_nano_eur": int(value * 10**6),
            **fields,
        }
        await enter(pool, f"req_{organization_id}_{number}", organization_id, occurred_at=at, **row)


async def test_an_unusual_yesterday_is_kept_and_told_once(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    history = days(60, seed=3)
    history[-1] *= 6
    await use(pool, organization, history)
    for _ in range(2):
        await run_once(settings, "insights", AT)
    kept = {each.key: each.facts["expected"] for each in (await found(pool, organization))["anomaly"]}
    assert set(kept) == {"tokens/2026-11-20", "cost/2026-11-20"}
    assert [each.kind for each in await told(pool, organization)] == ["usage_anomaly", "usage_anomaly"]


async def test_the_month_ahead_is_foreseen_brought_up_to_date_and_told_alike_by_reports(
    settings: Settings, pool: Pool
) -> None:
    organization, _ = await tenant(pool)
    await use(pool, organization, [1000.0] * 60)
    for day in range(2):
        await run_once(settings, "insights", AT + timedelta(days=day))
    (ahead,) = (await found(pool, organization))["forecast"]
    assert (ahead.key, ahead.facts["so_far"]) == ("2026-11", "20.00")
    assert float(ahead.facts["low"]) <= float(ahead.facts["total"]) <= float(ahead.facts["high"])
    await enter(
        pool, "req_today", organization, occurred_at=AT - timedelta(days=-1, hours=1), price_nano_eur=10**10
    )
    await run_once(settings, "insights", AT + timedelta(days=1))
    (ahead,) = (await found(pool, organization))["forecast"]
    at = AT + timedelta(days=1)
    request = Request("cost_trend", "json", "en", Filter(organization_id=organization))
    told = orjson.loads((await make(pool, request, at)).content)
    assert {fact["name"]: Decimal(fact["value"]) for fact in told["facts"]} == {
        "month_to_date": Decimal(ahead.facts["so_far"]),
        "projection": Decimal(ahead.facts["total"]),
        "low": Decimal(ahead.facts["low"]),
        "high": Decimal(ahead.facts["high"]),
    }
    await run_once(settings, "insights", AT + timedelta(days=15))
    assert [each.key for each in (await found(pool, organization))["forecast"]] == ["2026-12"]


async def test_advice_names_what_it_saves_until_it_was_taken(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    await use(pool, organization, [1000.0] * 30, input_tokens=1_000_000, output_tokens=10)
    await run_once(settings, "insights", AT)
    (advice,) = (await found(pool, organization))["cached_input"]
    # Half of the input at half of its price, of 30 euros.
    assert (advice.facts["model"], str(advice.saving)) == ("gpt-4o", "7.50")
    assert "€7.50 less a month" in sentence(advice, "en")
    assert "7,50\xa0€ de moins par mois" in sentence(advice, "fr")
    await run_once(settings, "insights", AT + timedelta(days=40))
    assert "cached_input" not in await found(pool, organization)


async def test_calls_at_night_on_the_organizations_clock_could_be_batches(
    settings: Settings, pool: Pool
) -> None:
    organization, _ = await tenant(pool, time_zone="Asia/Tokyo")
    # 18:00 UTC is three in the morning there.
    calls = ((18, "chat.completions"), (3, "chat.completions"), (18, "audio.speech"))
    for number, (hour, endpoint) in enumerate(calls):
        at = datetime(2026, 11, 10, hour, tzinfo=UTC)
        await enter(
            pool,
            f"req_{number}",
            organization,
            occurred_at=at,
            endpoint=endpoint,
            price_nano_eur=10 * 10**9,
        )
    await run_once(settings, "insights", AT)
    (advice,) = (await found(pool, organization))["batch"]
    # In batches all but the cached tokens cost half: 37.50 instead of 70.
    assert (advice.facts["price"], str(advice.saving)) == ("10.00", "4.64")


async def test_tokens_that_the_plan_includes_save_nothing_but_a_smaller_plan_may(
    settings: Settings, pool: Pool
) -> None:
    organization, _ = await tenant(pool, monthly_price="50", monthly_quota=10**9)
    async with transaction(pool) as connection:
        terms: dict[str, Any] = {"monthly_price": "20", "monthly_quota": 10**8}
        await plans.create(connection, "test", PlanTerms(name="Small", **terms))
        await connection.execute("update subscription set starts_at = '2026-08-01'")
    await use(pool, organization, [1000.0] * 60, input_tokens=1_000_000)
    await run_once(settings, "insights", AT)
    kept = await found(pool, organization)
    assert not {"cached_input", "cheaper_model", "batch"} & set(kept)
    (advice,) = kept["smaller_plan"]
    assert (advice.facts["smaller"], str(advice.saving)) == ("Small", "30.00")


async def test_keys_that_nobody_uses_are_named(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    hasher = KeyHasher(b"a secret of the tests, long enough")
    async with transaction(pool) as connection:
        for name in ("idle", "busy", "new"):
            key = await api_keys.create(connection, "test", organization, hasher.make(), name=name)
            if name == "busy":
                busy = key.id
            if name != "new":
                await connection.execute("update api_key set created_at = '2026-01-01' where id = $1", key.id)
            else:
                await connection.execute("update api_key set created_at = $2 where id = $1", key.id, AT)
    await enter(pool, "req_1", organization, key_id=busy)
    await run_once(settings, "insights", AT + timedelta(days=10))
    (advice,) = (await found(pool, organization))["idle_keys"]
    assert advice.facts == {"count": 1, "names": ["idle"]}
    assert "idle" in sentence(advice, "fr")


async def test_every_kind_has_a_sentence_in_both_languages(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    history = days(60, seed=3)
    history[-1] *= 6
    await use(pool, organization, history)
    await run_once(settings, "insights", AT)
    for rows in (await found(pool, organization)).values():
        for row in rows:
            for language in ("en", "fr"):
                text = sentence(row, language)
                assert "{" not in text
                assert len(text) > 20
