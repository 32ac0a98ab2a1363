import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from ledger import api_keys, callers, plans
from ledger.bootstrap import bootstrap, example_plans
from ledger.database import Connection, Pool
from ledger.keys import KeyHasher
from ledger.prices import PriceList

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HASHER = KeyHasher(b"a secret of the tests")


async def test_the_first_start_brings_a_key_that_works(pool: Pool, connection: Connection) -> None:
    first = await bootstrap(pool, HASHER, now=NOW, demo_key=None)
    assert first.plans == ("Free", "Pro", "Demo")
    assert first.key is not None
    caller = await callers.find(connection, HASHER, first.key, NOW)
    assert caller is not None
    assert caller.barred(NOW) is None
    assert caller.plan is not None
    assert caller.plan.name == "Demo"
    assert caller.plan.effective_limits.tokens_per_month == 5_000_000


async def test_prices_and_rates_are_in_their_tables(pool: Pool, connection: Connection) -> None:
    await bootstrap(pool, HASHER, now=NOW, demo_key=None)
    stored = PriceList.from_rows(await connection.fetch("select * from model_price"))
    assert stored.price_for("gpt-4o-mini", NOW) is not None
    assert await connection.fetchval("select count(*) > 0 from exchange_rate where currency = 'USD'")


async def test_a_later_start_changes_nothing(pool: Pool, connection: Connection) -> None:
    first = await bootstrap(pool, HASHER, now=NOW, demo_key=None)
    pro = await plans.by_name(connection, "Pro")
    assert pro is not None
    changed = await plans.change(connection, "test", pro.id, {"monthly_price": "4.00"})
    again = await bootstrap(pool, HASHER, now=NOW, demo_key=first.key)
    assert (again.organization_id, again.key, again.plans) == (first.organization_id, None, ())
    assert await plans.by_name(connection, "Pro") == changed
    assert await connection.fetchval("select count(*) from api_key") == 1


async def test_a_revoked_key_is_not_replaced(pool: Pool, connection: Connection) -> None:
    first = await bootstrap(pool, HASHER, now=NOW, demo_key=None)
    assert first.key is not None
    key = await api_keys.by_secret(connection, HASHER, first.key)
    assert key is not None
    await api_keys.revoke(connection, "test", key.id, NOW)
    assert (await bootstrap(pool, HASHER, now=NOW, demo_key=first.key)).key is None


async def test_a_lost_key_is_replaced_in_the_same_organization(pool: Pool) -> None:
    first = await bootstrap(pool, HASHER, now=NOW, demo_key=None)
    second = await bootstrap(pool, HASHER, now=NOW, demo_key="sk-tk-of-another-house")
    assert second.organization_id == first.organization_id
    assert second.key not in (None, first.key)


async def test_five_first_starts_at_once_make_one_organization(pool: Pool, connection: Connection) -> None:
    await asyncio.gather(*(bootstrap(pool, HASHER, now=NOW, demo_key=None) for _ in range(5)))
    assert await connection.fetchval("select count(*) from organization") == 1
    assert await connection.fetchval("select count(*) from plan") == 3


def test_the_examples_are_those_the_product_promises() -> None:
    named = {terms.name: terms for terms in example_plans()}
    assert (named["Free"].limits.traffic_gb_per_month, named["Free"].limits.storage_mb) == (5, 100)
    assert (named["Pro"].limits.traffic_gb_per_month, named["Pro"].limits.storage_mb) == (10, 10_240)
    assert (named["Pro"].monthly_price, named["Pro"].currency) == (Decimal("3.00"), "EUR")
