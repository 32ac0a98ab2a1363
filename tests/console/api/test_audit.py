from tests.console.running import Console, Fields, refused

PATH = "/api/admin/audit"


async def test_every_change_is_in_it(console: Console, organization: Fields) -> None:
    path = f"organizations/{organization['id']}"
    await console.admin.patch(f"/api/admin/{path}", json={"name": "Studio"})
    await console.make(f"{path}/members", keycloak_user_id="u")
    await console.make(f"{path}/projects", name="Web")
    key = await console.key(organization)
    await console.admin.post(f"/api/admin/keys/{key['id']}/rotate")
    await console.admin.delete(f"/api/admin/keys/{key['id']}")
    plan = await console.make("plans", name="Pro")
    await console.admin.patch(f"/api/admin/plans/{plan['id']}", json={"monthly_price": "4.00"})
    await console.subscribe(organization, plan)
    rows = await console.all_pages(PATH, 4)
    assert [row["action"] for row in reversed(rows)] == [
        "organization.create",
        "organization.change",
        "member.create",
        "project.create",
        "key.create",
        "key.rotate",
        "key.revoke",
        "plan.create",
        "plan.change",
        "subscription.replace",
    ]
    assert {row["actor"] for row in rows} == {"admin token"}
    assert rows[1]["detail"] == {"monthly_price": "4.00"}


async def test_it_can_be_read_for_one_object(console: Console, organization: Fields) -> None:
    other = await console.make("organizations", name="Other")
    rows = await console.all_pages(f"{PATH}?object={other['id']}", 10)
    assert [row["object"] for row in rows] == [other["id"]]


async def test_a_refused_change_leaves_no_trace(console: Console, organization: Fields) -> None:
    await console.make("plans", name="Pro")
    refused(await console.admin.post("/api/admin/plans", json={"name": "Pro"}), 409, "name")
    assert len(await console.all_pages(PATH, 10)) == 2


async def test_bad_cursors_are_refused(console: Console) -> None:
    for cursor in ("x", "WyItMSJd", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OSJd"):
        refused(await console.admin.get(f"{PATH}?cursor={cursor}"), 400, "cursor")
