from datetime import UTC, datetime, timedelta

from billing_worker.app import run_once
from billing_worker.schedule import JOBS
from config.settings import Settings
from ledger import members, project_storage
from ledger.database import Pool, reading, transaction
from ledger.limits import Limits
from ledger.storage import Freed, Stored, Teller, free, store
from tests.billing_worker.jobs.tenants import tenant, told
from tests.usage import enter

AT = datetime(2026, 11, 21, 6, tzinfo=UTC)


def test_limits_are_looked_at_at_six_and_storage_at_four() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert JOBS["plan_limits"].times.next(noon) == datetime(2026, 11, 22, 6, tzinfo=UTC)
    assert JOBS["storage"].times.next(noon) == datetime(2026, 11, 22, 4, tzinfo=UTC)


async def test_every_kind_of_plan_limit_is_told_of(settings: Settings, pool: Pool) -> None:
    limits = Limits(members=5, projects=10, traffic_gb_per_month=10, storage_mb=100)
    organization, _ = await tenant(pool, limits=limits)
    async with transaction(pool) as connection:
        for number in range(4):
            await members.create(connection, "test", organization, keycloak_user_id=str(number), now=AT)
        teller = Teller(organization, None, "openai", "req_1", AT, 1)
        await store(connection, teller, [Stored("file-1", "file", 95_000_000)])
    await enter(
        pool, "req_1", organization, occurred_at=AT, request_bytes=5 * 10**9, response_bytes=3 * 10**9
    )
    for _ in range(2):
        await run_once(settings, "plan_limits", AT)
    found = {each.facts["limit"]: each.facts for each in await told(pool, organization)}
    assert {name: facts["percent"] for name, facts in found.items()} == {
        "members": 80,
        "traffic_gb_per_month": 80,
        "storage_mb": 95,
    }
    assert found["traffic_gb_per_month"]["used"] == "8.00"
    assert len(await told(pool, organization)) == 3


async def test_storage_is_counted_by_project(settings: Settings, pool: Pool) -> None:
    organization, _ = await tenant(pool)
    later = int((AT + timedelta(days=1)).timestamp())
    async with transaction(pool) as connection:
        for project, objects in (
            ("proj_1", [Stored("file-1", "file", 10), Stored("file-2", "file", 20, expires_at=later)]),
            (None, [Stored("file-3", "file", 5)]),
            ("proj_2", [Stored("file-4", "file", 7)]),
        ):
            await store(connection, Teller(organization, project, "openai", "req_1", AT, 1), objects)

    async def counted() -> dict[str | None, tuple[int, int]]:
        async with reading(pool) as connection:
            found = await project_storage.of_organization(connection, organization)
        return {each.project_id: (each.bytes, each.objects) for each in found}

    await run_once(settings, "storage", AT)
    assert await counted() == {"proj_1": (30, 2), None: (5, 1), "proj_2": (7, 1)}
    async with transaction(pool) as connection:
        teller = Teller(organization, "proj_2", "openai", "req_2", AT, 2)
        await free(connection, teller, [Freed("file-4", "file")])
    await run_once(settings, "storage", AT + timedelta(days=2))
    assert await counted() == {"proj_1": (10, 1), None: (5, 1)}
