import asyncpg
from pgqueuer import AsyncpgDriver

from billing_worker.queue import queries


async def test_the_migrations_leave_nothing_for_the_queue_to_upgrade(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        plan = await queries(AsyncpgDriver(connection)).plan_upgrade()
    finally:
        await connection.close()
    assert (plan.statements, plan.notes) == ((), ())
