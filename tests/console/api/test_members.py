from tests.console.running import UNKNOWN, Console, Fields, refused


def path(organization: Fields) -> str:
    return f"/api/admin/organizations/{organization['id']}/members"


async def test_a_new_one_is_listed(console: Console, organization: Fields) -> None:
    made = await console.make(
        f"organizations/{organization['id']}/members", keycloak_user_id="u-1", email="a@b.fr", role="billing"
    )
    assert made["id"].startswith("mem_")
    assert made["joined_at"].endswith("Z")
    second = await console.make(f"organizations/{organization['id']}/members", keycloak_user_id="u-2")
    assert second["role"] == "member"
    assert await console.all_pages(path(organization), 1) == [made, second]


async def test_a_person_joins_once_by_issuer_and_subject(console: Console, organization: Fields) -> None:
    await console.make(
        f"organizations/{organization['id']}/members", keycloak_user_id="u", issuer="https://a"
    )
    await console.make(
        f"organizations/{organization['id']}/members", keycloak_user_id="u", issuer="https://b"
    )
    again = {"keycloak_user_id": "u", "issuer": "https://a"}
    refused(await console.admin.post(path(organization), json=again), 409, "keycloak_user_id", says="")


async def test_the_plan_bounds_their_number(console: Console, organization: Fields) -> None:
    await console.subscribe(organization, await console.make("plans", name="Free", limits={"members": 0}))
    refused(await console.admin.post(path(organization), json={"keycloak_user_id": "u"}), 403, says="members")


async def test_bad_fields_are_refused_by_name(console: Console, organization: Fields) -> None:
    refused(await console.admin.post(path(organization), json={}), 400, "keycloak_user_id")
    body = {"keycloak_user_id": "u", "role": "king"}
    refused(await console.admin.post(path(organization), json=body), 400, "role")
    refused(
        await console.admin.post(path(organization), json={"keycloak_user_id": "\n"}), 400, "keycloak_user_id"
    )
    refused(await console.admin.get(path({"id": UNKNOWN})), 404)


async def test_a_change_keeps_what_it_does_not_name(console: Console, organization: Fields) -> None:
    made = await console.make(
        f"organizations/{organization['id']}/members",
        keycloak_user_id="u",
        email="a@b.fr",
        limits={"tokens_per_month": 1000},
    )
    body = {"role": "billing", "active": False, "limits": {"requests_per_minute": 5}}
    changed = await console.admin.patch(f"/api/admin/members/{made['id']}", json=body)
    assert changed.status_code == 200, changed.text
    limits = {**made["limits"], "requests_per_minute": 5}
    assert changed.json() == {**made, "role": "billing", "active": False, "limits": limits}
