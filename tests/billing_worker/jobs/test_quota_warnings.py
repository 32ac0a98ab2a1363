from datetime import UTC, datetime, timedelta

from billing_worker.app import run_once
from config.settings import Settings
from ledger import alerts, plans, token_packs
from ledger.database import Pool, reading, transaction
from ledger.limits import Limits
from tests.billing_worker.jobs.tenants import tenant, told
from tests.usage import enter

AT = datetime(2026, 11, 21, 13, tzinfo=UTC)


async def percents(pool: Pool, organization_id: str) -> list[tuple[str, int]]:
    return [(each.facts["limit"], each.facts["percent"]) for each in await told(pool, organization_id)]


async def test_each_threshold_is_told_of_once(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool, limits=Limits(tokens_per_month=1000))
    seen = []
    for number, tokens in enumerate((799, 1, 99, 1, 49, 1, 49, 1, 100)):
        await enter(pool, f"req_{number}", organization, input_tokens=tokens, output_tokens=0)
        for _ in range(2):
            await run_once(settings, "quota_warnings", AT)
        seen.append([percent for _, percent in await percents(pool, organization)])
    assert seen == [
        [],
        [80],
        [80],
        [80, 90],
        [80, 90],
        [80, 90, 95],
        [80, 90, 95],
        [80, 90, 95, 100],
        [80, 90, 95, 100],
    ]


async def test_who_passes_several_thresholds_at_once_is_told_of_the_highest(
    settings: Settings, pool: Pool
) -> None:
    organization, _ = await tenant(pool, limits=Limits(requests_per_month=1, tokens_per_month=16))
    await enter(pool, "req_1", organization)
    await run_once(settings, "quota_warnings", AT)
    assert sorted(await percents(pool, organization)) == [
        ("requests_per_month", 100),
        ("tokens_per_month", 90),
    ]


async def test_a_raised_limit_warns_anew(settings: Settings, pool: Pool) -> None:
    organization, plan = await tenant(pool, monthly_quota=1000)
    await enter(pool, "req_1", organization, input_tokens=850, output_tokens=0)
    await run_once(settings, "quota_warnings", AT)
    async with transaction(pool) as connection:
        await token_packs.create(connection, "test", organization, tokens=50, now=AT)
    await run_once(settings, "quota_warnings", AT + timedelta(minutes=1))
    async with transaction(pool) as connection:
        await plans.change(connection, "test", plan, {"monthly_quota": 5000})
    await run_once(settings, "quota_warnings", AT + timedelta(minutes=2))
    found = [(each.facts["percent"], each.facts["allowed"]) for each in await told(pool, organization)]
    assert found == [(80, "1000.00"), (80, "1050.00")]


async def test_a_new_month_on_the_organizations_calendar_warns_anew(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool, time_zone="Europe/Paris", limits=Limits(tokens_per_month=15))
    # In Paris November ends at 23:00 UTC.
    for number, at in enumerate(
        (datetime(2026, 11, 30, 22, 59, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))
    ):
        await enter(pool, f"req_{number}", organization, occurred_at=at)
        await run_once(settings, "quota_warnings", at)
    resets = [each.facts["resets_at"] for each in await told(pool, organization)]
    assert resets == ["2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"]


async def test_money_counts_in_the_currency_of_the_plan(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool, currency="USD", limits=Limits(spend_per_month=1))
    await enter(pool, "req_1", organization, price_nano=900_000_000, currency="EUR")
    await enter(pool, "req_2", organization, price_nano=810_000_000, currency="USD")
    await run_once(settings, "quota_warnings", AT)
    (found,) = await told(pool, organization)
    assert (found.facts["percent"], found.facts["used"], found.facts["currency"]) == (80, "0.81", "USD")


async def test_what_is_charged_beyond_the_quota_is_not_called_refused(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool, monthly_quota=15, overage="bill")
    await enter(pool, "req_1", organization)
    await run_once(settings, "quota_warnings", AT)
    (found,) = await told(pool, organization)
    assert (found.facts["limit"], found.facts["refused"]) == ("monthly_quota", False)


async def test_a_month_that_is_used_up_is_an_alert_until_it_is_not(settings: Settings, pool: Pool) -> None:
    organization, plan = await tenant(pool, monthly_quota=15)
    await enter(pool, "req_1", organization)
    opened = []
    for quota in (15, 1000):
        async with transaction(pool) as connection:
            await plans.change(connection, "test", plan, {"monthly_quota": quota})
        await run_once(settings, "quota_warnings", AT)
        async with reading(pool) as connection:
            opened.append([alert.object for alert in await alerts.listing(connection, ended=False)])
    assert opened == [[organization], []]


async def test_nobody_is_told_of_what_is_unlimited(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    await enter(pool, "req_1", organization, input_tokens=10**9)
    await run_once(settings, "quota_warnings", AT)
    assert await told(pool, organization) == []
