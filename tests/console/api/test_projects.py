import asyncio

from tests.console.running import UNKNOWN, Console, Fields, refused


def path(organization: Fields) -> str:
    return f"/api/admin/organizations/{organization['id']}/projects"


async def test_a_new_one_is_listed(console: Console, organization: Fields) -> None:
    made = await console.make(
        f"organizations/{organization['id']}/projects", name="Web", limits={"tokens_per_month": 9}
    )
    assert made["id"].startswith("proj_")
    assert made["limits"]["tokens_per_month"] == 9
    assert await console.all_pages(path(organization), 1) == [made]


async def test_a_name_is_taken_once_within_an_organization(console: Console, organization: Fields) -> None:
    other = await console.make("organizations", name="Other")
    await console.make(f"organizations/{organization['id']}/projects", name="Web")
    await console.make(f"organizations/{other['id']}/projects", name="Web")
    refused(await console.admin.post(path(organization), json={"name": "Web"}), 409, "name")


async def test_the_plan_bounds_their_number_also_when_many_come_at_once(
    console: Console, organization: Fields
) -> None:
    await console.subscribe(organization, await console.make("plans", name="Free", limits={"projects": 2}))
    answers = await asyncio.gather(
        *(console.admin.post(path(organization), json={"name": f"p{n}"}) for n in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 403, 403, 403, 403]
    refused(
        await console.admin.post(path(organization), json={"name": "more"}), 403, says="allows 2 projects"
    )


async def test_bad_fields_are_refused_by_name(console: Console, organization: Fields) -> None:
    refused(await console.admin.post(path(organization), json={}), 400, "name")
    refused(await console.admin.post(path(organization), json={"name": "x", "budget": 1}), 400, "budget")
    refused(await console.admin.post(path(organization), json={"name": "x", "limits": 1}), 400, "limits")
    refused(await console.admin.post(path({"id": UNKNOWN}), json={"name": "x"}), 404)
    refused(await console.admin.get(path({"id": UNKNOWN})), 404)
