from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from ledger import migrations, plan_history, plans
from ledger.database import Connection, Pool, close_pool, open_pool, transaction
from ledger.errors import ConflictError
from ledger.limits import Limits
from ledger.plans import PlanTerms


async def stored(connection: Connection, **fields: object) -> plans.Plan:
    return await plans.create(connection, "test", PlanTerms.model_validate({"name": "Pro", **fields}))


async def test_a_refused_overage_makes_the_quota_a_limit_and_the_lower_counts(connection: Connection) -> None:
    def effective(quota: int, month: int, overage: str = "refuse") -> int:
        terms = {"monthly_quota": quota, "overage": overage, "limits": Limits(tokens_per_month=month)}
        return plan.model_copy(update=terms).effective_limits.tokens_per_month

    plan = await stored(connection)
    assert effective(-1, -1) == -1
    assert effective(100, -1) == 100
    assert effective(100, 50) == 50
    assert effective(50, 100) == 50
    assert effective(-1, 100) == 100
    assert effective(0, 100) == 0
    assert effective(50, 100, "bill") == 100
    assert effective(50, -1, "bill") == -1


async def test_what_is_stored_reads_back_the_same(connection: Connection) -> None:
    plan = await stored(
        connection,
        monthly_price="3.10",
        price_per_request="0.000000001",
        price_rules=[{"model": "gpt*", "kind": "input", "rate": "0.5"}],
        limits={"spend_per_month": "12.345678", "projects": 0},
        models=["gpt*"],
        trial_days=14,
        setup_fee="99.00",
        minimum_spend="10.5",
        volume_discounts=[{"above": "100", "percent": "2.5"}],
        monthly_quota=1000,
        overage="bill",
        overage_price={"per": "tokens", "block": 1000, "price": "0.02"},
        traffic_gb_price="0.08",
        sla={"uptime_percent": "99.9", "credits": [{"below": "99.5", "percent": "10"}]},
    )
    assert await plans.get(connection, plan.id) == plan
    (first,) = await plan_history.of_plan(connection, plan.id)
    assert first.terms == PlanTerms.model_validate(plan.model_dump(include=set(PlanTerms.model_fields)))
    assert plan.limits.spend_per_month == Decimal("12.345678")
    assert plan.price_per_request == Decimal("0.000000001")


async def test_a_name_taken_meanwhile_is_a_conflict_and_changes_nothing(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await stored(connection)

    async def both() -> None:
        async with transaction(pool) as connection:
            await plans.create(connection, "test", PlanTerms(name="Free"))
            await stored(connection)

    with pytest.raises(ConflictError):
        await both()
    async with transaction(pool) as connection:
        assert await plans.by_name(connection, "Free") is None


async def test_a_change_that_makes_no_plan_is_refused(connection: Connection) -> None:
    plan = await stored(connection)
    with pytest.raises(ValidationError):
        await plans.change(connection, "test", plan.id, {"limits": {"requests_per_minute": -5}})
    assert await plans.get(connection, plan.id) == plan


def test_only_minus_one_is_unlimited_money() -> None:
    assert Limits(spend_per_month=Decimal(-1)).model_dump(mode="json")["spend_per_month"] == "-1"
    assert Limits(spend_per_month=Decimal("1E+3")).model_dump(mode="json")["spend_per_month"] == "1000.00"
    for amount in ("-0.5", "-2", "NaN", "1000001"):
        with pytest.raises(ValidationError):
            Limits(spend_per_month=Decimal(amount))


async def test_terms_are_kept_as_they_were_at_each_time(connection: Connection) -> None:
    first, second = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)
    plan = await plans.create(connection, "test", PlanTerms(name="Pro"), at=first)
    await plans.change(connection, "test", plan.id, {"monthly_price": "3.00"}, at=second)
    # A clock that goes backwards rewrites nothing.
    await plans.change(connection, "test", plan.id, {"monthly_price": "4.00"}, at=first)
    history = await plan_history.of_plan(connection, plan.id)
    assert [(dated.valid_from, int(dated.terms.monthly_price)) for dated in history] == [
        (first, 0),
        (second, 3),
        (second + timedelta(microseconds=1), 4),
    ]


async def test_plans_of_before_have_the_terms_that_they_have_now(empty_database_url: str) -> None:
    known = migrations.known()
    before = [migration for migration in known if migration.name < "0011"]
    await migrations.migrate(empty_database_url, before)
    pool = await open_pool(empty_database_url)
    try:
        async with transaction(pool) as connection:
            await connection.execute(
                "insert into plan (id, name, currency, monthly_price, price_per_request, price_rules, limits, models)"
                " values ('plan_1', 'Pro', 'EUR', 3.1, 0.000000001, '[{\"rate\": \"0.5\"}]',"
                " '{\"spend_per_month\": \"5.00\"}', '{gpt*}')"
            )
        await migrations.migrate(empty_database_url, known)
        async with transaction(pool) as connection:
            plan = await plans.get(connection, "plan_1")
            (dated,) = await plan_history.of_plan(connection, "plan_1")
    finally:
        await close_pool(pool)
    assert dated.valid_from == plan.created_at
    assert dated.terms == PlanTerms.model_validate(plan.model_dump(include=set(PlanTerms.model_fields)))
