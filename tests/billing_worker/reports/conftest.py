"""An organization with usage of a few days."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from billing_worker.reports.reporting import Request, make
from ledger import organizations, projects
from ledger.database import Pool, transaction
from ledger.limits import Limits
from ledger.usage_filter import Filter
from tests.usage import enter

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

Report = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def organization(pool: Pool) -> str:
    async with transaction(pool) as connection:
        made = await organizations.create(connection, "test", name="Atelier", time_zone="Europe/Paris")
    return made.id


@pytest.fixture
async def project(pool: Pool, organization: str) -> str:
    async with transaction(pool) as connection:
        made = await projects.create(
            connection, "test", organization, name="=Research", limits=Limits(), now=NOW
        )
    return made.id


@pytest.fixture
async def used(pool: Pool, organization: str, project: str) -> None:
    """Three calls of two days in Paris, of which one failed."""
    await enter(
        pool,
        "req_1",
        organization,
        occurred_at=datetime(2026, 11, 19, 22, 30, tzinfo=UTC),
        project_id=project,
        duration_ms=400,
        first_byte_ms=100,
        price_nano_eur=1_500_000_000,
    )
    await enter(
        pool,
        "req_2",
        organization,
        # Already the 20th in Paris.
        occurred_at=datetime(2026, 11, 19, 23, 30, tzinfo=UTC),
        model="gpt-4o-mini",
        duration_ms=900,
        price_nano_eur=250_000_001,
    )
    await enter(
        pool,
        "req_3",
        organization,
        occurred_at=datetime(2026, 11, 20, 9, 0, 1, tzinfo=UTC),
        model="gpt-4o-mini",
        status=502,
        outcome="upstream_error",
        input_tokens=0,
        cached_input_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
        cost_nano_usd=0,
        price_nano_eur=0,
    )


@pytest.fixture
def report(pool: Pool) -> Report:
    """A report as JSON, of November until NOW where no time is given."""

    async def made(template: str, **more: Any) -> dict[str, Any]:
        wanted = Filter(**{name: more.pop(name) for name in list(more) if name.endswith("_id")})
        request = Request(template, "json", more.pop("language", "en"), wanted, **more)  # type: ignore[arg-type]
        found: dict[str, Any] = orjson.loads((await make(pool, request, NOW)).content)
        return found

    return made
