import asyncpg
import pytest
from pgqueuer import AsyncpgDriver

from billing_worker.queue import NAMES, queries


async def test_the_migrations_leave_nothing_for_the_queue_to_upgrade(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        plan = await queries(AsyncpgDriver(connection)).plan_upgrade()
    finally:
        await connection.close()
    assert (plan.statements, plan.notes) == ((), ())


@pytest.mark.parametrize("prefix", ["", "PGQUEUER_"])
async def test_variables_of_the_environment_change_no_name_of_the_queue(
    database_url: str, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    for name in (*NAMES, "schema"):
        monkeypatch.setenv(prefix + name.upper(), "strange")
    connection = await asyncpg.connect(database_url)
    try:
        settings = queries(AsyncpgDriver(connection)).qbe.settings
    finally:
        await connection.close()
    assert settings.model_dump(mode="json") == NAMES
