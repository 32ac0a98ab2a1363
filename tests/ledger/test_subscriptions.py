import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ledger import organizations, plans, subscriptions
from ledger.database import Connection, Pool, transaction
from ledger.errors import BadReferenceError, ConflictError
from ledger.organizations import Organization
from ledger.plans import Plan, PlanTerms

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def free(connection: Connection) -> Plan:
    return await plans.create(connection, "test", PlanTerms(name="Free"))


@pytest.fixture
async def pro(connection: Connection) -> Plan:
    return await plans.create(connection, "test", PlanTerms(name="Pro"))


async def put(
    pool: Pool, organization: Organization, plan: Plan, *, now: datetime = NOW, start: datetime | None = None
) -> subscriptions.Subscription:
    async with transaction(pool) as connection:
        return await subscriptions.replace(connection, "test", organization.id, plan.id, now=now, start=start)


async def test_the_new_one_begins_where_the_present_ends(
    pool: Pool, connection: Connection, organization: Organization, free: Plan, pro: Plan
) -> None:
    first = await put(pool, organization, free)
    second = await put(pool, organization, pro, now=NOW + DAY)
    history = await subscriptions.history(connection, organization.id)
    assert [(s.id, s.start, s.end) for s in history] == [
        (first.id, NOW, NOW + DAY),
        (second.id, NOW + DAY, None),
    ]
    assert await subscriptions.plan_of(connection, organization.id, NOW + DAY / 2) == free
    assert await subscriptions.plan_of(connection, organization.id, NOW + DAY) == pro
    assert [s.status_at(NOW + DAY) for s in history] == ["ended", "active"]


async def test_a_later_start_is_scheduled_and_can_be_replaced(
    pool: Pool, connection: Connection, organization: Organization, free: Plan, pro: Plan
) -> None:
    first = await put(pool, organization, free)
    planned = await put(pool, organization, pro, start=NOW + 30 * DAY)
    assert planned.status_at(NOW) == "scheduled"
    assert await subscriptions.plan_of(connection, organization.id, NOW) == free
    back = await put(pool, organization, free, now=NOW + DAY)
    assert (back.id, back.end) == (first.id, None)
    assert len(await subscriptions.history(connection, organization.id)) == 1


async def test_the_same_plan_again_changes_nothing(
    pool: Pool, connection: Connection, organization: Organization, free: Plan
) -> None:
    assert await put(pool, organization, free) == await put(pool, organization, free, now=NOW + DAY)
    assert len(await subscriptions.history(connection, organization.id)) == 1


async def test_what_has_been_is_not_rewritten(
    pool: Pool, organization: Organization, free: Plan, pro: Plan
) -> None:
    await put(pool, organization, free)
    with pytest.raises(ConflictError, match="2026-11-21T12:00:00Z") as caught:
        await put(pool, organization, pro, start=NOW - DAY)
    assert caught.value.param == "start"
    with pytest.raises(ConflictError):
        await put(pool, organization, pro, start=NOW)


async def test_a_first_one_may_begin_in_the_past(pool: Pool, organization: Organization, free: Plan) -> None:
    assert (await put(pool, organization, free, start=NOW - 30 * DAY)).status_at(NOW) == "active"


async def test_many_at_once_leave_one_present(
    pool: Pool, connection: Connection, organization: Organization, free: Plan, pro: Plan
) -> None:
    await asyncio.gather(*(put(pool, organization, plan) for plan in [free, pro] * 10))
    history = await subscriptions.history(connection, organization.id)
    assert [s.end for s in history].count(None) == 1
    assert [a.end for a in history[:-1]] == [b.start for b in history[1:]]


async def test_a_plan_no_longer_offered_is_refused(
    pool: Pool, connection: Connection, organization: Organization, free: Plan
) -> None:
    await plans.change(connection, "test", free.id, {"active": False})
    with pytest.raises(BadReferenceError) as caught:
        await put(pool, organization, free)
    assert caught.value.param == "plan_id"


async def test_the_database_itself_refuses_two_at_once(
    connection: Connection, organization: Organization, free: Plan
) -> None:
    import asyncpg

    insert = (
        "insert into subscription (id, organization_id, organization_no, plan_id, starts_at)"
        " select $1, id, no, $2, $3 from organization where id = $4"
    )
    await connection.execute(insert, "sub_1", free.id, NOW, organization.id)
    with pytest.raises(asyncpg.ExclusionViolationError):
        await connection.execute(insert, "sub_2", free.id, NOW + DAY, organization.id)


async def test_a_trial_lasts_whole_days_of_the_organizations_calendar_and_goes_along_with_a_change_of_plan(
    pool: Pool, connection: Connection, free: Plan
) -> None:
    paris = await organizations.create(connection, "test", name="Paris", time_zone="Europe/Paris")
    tried = await plans.create(connection, "test", PlanTerms(name="Try", trial_days=14))
    longer = await plans.create(connection, "test", PlanTerms(name="Longer", trial_days=60))
    ends = datetime(2026, 12, 5, 23, tzinfo=UTC)
    assert (await put(pool, paris, tried)).trial_ends_at == ends
    assert (await put(pool, paris, longer, now=NOW + DAY)).trial_ends_at == ends
    assert (await put(pool, paris, free, now=NOW + 20 * DAY)).trial_ends_at is None
    assert (await put(pool, paris, tried, now=NOW + 30 * DAY)).trial_ends_at is None


async def test_another_interval_is_another_subscription(
    pool: Pool, connection: Connection, organization: Organization, free: Plan
) -> None:
    await put(pool, organization, free)
    async with transaction(pool) as inner:
        yearly = await subscriptions.replace(
            inner, "test", organization.id, free.id, now=NOW + DAY, billing_interval="year"
        )
    history = await subscriptions.history(connection, organization.id)
    assert [(each.billing_interval, each.end) for each in history] == [("month", NOW + DAY), ("year", None)]
    assert yearly == history[1]


async def test_a_quota_that_is_a_limit_is_never_counted_by_anniversaries(
    pool: Pool, connection: Connection, organization: Organization
) -> None:
    limited = await plans.create(connection, "test", PlanTerms(name="Limited", monthly_quota=5))
    billed = await plans.create(connection, "test", PlanTerms(name="B", monthly_quota=5, overage="bill"))

    async def by_anniversary(plan: Plan) -> None:
        async with transaction(pool) as inner:
            await subscriptions.replace(
                inner, "test", organization.id, plan.id, now=NOW, period_anchor="anniversary"
            )

    with pytest.raises(ConflictError, match="calendar months"):
        await by_anniversary(limited)
    await by_anniversary(billed)
    with pytest.raises(ConflictError, match="anniversaries"):
        await plans.change(connection, "test", billed.id, {"overage": "refuse"})
