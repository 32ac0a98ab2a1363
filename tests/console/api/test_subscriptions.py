import asyncio

import pytest

from ledger.database import Pool, reading
from tests.console.running import UNKNOWN, Console, Fields, refused


@pytest.fixture
async def plan(console: Console) -> Fields:
    return await console.make("plans", name="Pro")


async def test_it_begins_now_unless_told_otherwise(
    console: Console, organization: Fields, plan: Fields
) -> None:
    now = (await console.subscribe(organization, plan)).json()
    assert (now["status"], now["end"], now["plan_id"]) == ("active", None, plan["id"])
    other = await console.make("plans", name="Max")
    later = await console.subscribe(organization, other, start="2099-01-01T00:00:00Z")
    assert (later.json()["status"], later.json()["start"]) == ("scheduled", "2099-01-01T00:00:00Z")


async def test_two_at_once_leave_one_present(
    console: Console, organization: Fields, plan: Fields, pool: Pool
) -> None:
    other = await console.make("plans", name="Max")
    answers = await asyncio.gather(*(console.subscribe(organization, p) for p in [plan, other] * 5))
    assert {answer.status_code for answer in answers} == {200}
    async with reading(pool) as connection:
        open_ended = "select count(*) from subscription where organization_id = $1 and ends_at is null"
        assert await connection.fetchval(open_ended, organization["id"]) == 1


BAD: list[tuple[Fields, str]] = [
    ({}, "plan_id"),
    ({"plan_id": "plan_0"}, "plan_id"),
    ({"plan_id": 3}, "plan_id"),
    ({"plan_id": "\0"}, "plan_id"),
    ({"plan_id": "plan_0", "plan": "Pro"}, "plan"),
    ({"plan_id": "plan_0", "start": "2026-11-21T00:00:00"}, "start"),
    ({"plan_id": "plan_0", "start": "2026-02-30T00:00:00Z"}, "start"),
    ({"plan_id": "plan_0", "start": "0001-01-01T00:00:00+14:00"}, "start"),
    ({"plan_id": "plan_0", "start": "tomorrow"}, "start"),
    ({"plan_id": "plan_0", "end": "2099-01-01T00:00:00Z"}, "end"),
]


async def test_bad_fields_are_refused_by_name(console: Console, organization: Fields) -> None:
    for body, param in BAD:
        answer = await console.admin.put(
            f"/api/admin/organizations/{organization['id']}/subscription", json=body
        )
        refused(answer, 400, param)


async def test_the_past_is_not_rewritten(console: Console, organization: Fields, plan: Fields) -> None:
    await console.subscribe(organization, plan)
    other = await console.make("plans", name="Max")
    refused(
        await console.subscribe(organization, other, start="2026-01-01T00:00:00Z"), 409, "start", says="began"
    )


async def test_an_unknown_organization_is_not_found(console: Console, plan: Fields) -> None:
    refused(await console.subscribe({"id": UNKNOWN}, plan), 404)
