from datetime import UTC, datetime, timedelta

from billing_worker.app import run_once
from config.settings import Settings
from ledger import api_keys
from ledger.database import Pool, transaction
from ledger.keys import KeyHasher
from tests.billing_worker.jobs.tenants import tenant, told

AT = datetime(2026, 11, 21, 6, 15, tzinfo=UTC)


async def test_people_are_told_of_keys_that_expire_within_a_week(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    hasher = KeyHasher(b"a secret of the tests, long enough")
    ends = {"soon": 6, "later": 8, "over": -1, "revoked": 2}
    async with transaction(pool) as connection:
        for name, days in ends.items():
            key = await api_keys.create(
                connection,
                "test",
                organization,
                hasher.make(),
                name=name,
                expires_at=AT + timedelta(days=days),
            )
            if name == "revoked":
                await api_keys.revoke(connection, "test", key.id, AT)
    for days in (0, 1, 2):
        await run_once(settings, "expiries", AT + timedelta(days=days))
    assert [each.facts["name"] for each in await told(pool, organization)] == ["soon", "later"]


async def test_people_are_told_of_a_trial_three_days_before_it_ends(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool, monthly_price="3.00")
    async with transaction(pool) as connection:
        await connection.execute("update subscription set trial_ends_at = $1", AT + timedelta(days=4))
    counts = []
    for days in (0, 1, 2, 5):
        await run_once(settings, "expiries", AT + timedelta(days=days))
        counts.append(len(await told(pool, organization)))
    assert counts == [0, 1, 1, 1]
    (found,) = await told(pool, organization)
    assert (found.kind, found.facts["monthly_price"]) == ("trial_ending", "3.00")
