from redis.asyncio import Redis

from ledger.changes import CHANNEL
from ledger.database import Pool, reading
from tests.console.running import UNKNOWN, Console, Fields, refused


async def test_the_secret_is_shown_once(console: Console, organization: Fields, pool: Pool) -> None:
    made = await console.key(organization)
    assert made["key"].startswith("sk-tk-")
    assert made["key"].startswith(made["prefix"])
    listed = await console.admin.get(f"/api/admin/organizations/{organization['id']}/keys")
    assert listed.json()["data"] == [{name: value for name, value in made.items() if name != "key"}]
    audit = await console.admin.get("/api/admin/audit")
    assert made["key"] not in audit.text
    async with reading(pool) as connection:
        assert made["key"] not in await connection.fetchval(
            "select string_agg(api_key::text, '') from api_key"
        )


async def test_a_rotated_key_has_a_new_secret_and_the_old_one_is_dead(
    console: Console, organization: Fields
) -> None:
    made = await console.key(organization)
    rotated = await console.admin.post(f"/api/admin/keys/{made['id']}/rotate")
    assert rotated.status_code == 200
    assert rotated.json()["id"] == made["id"]
    refused(await console.mine(made, "organization"), 401)
    assert (await console.mine(rotated.json(), "organization")).status_code == 200


async def test_a_revoked_key_opens_nothing_and_cannot_be_rotated(
    console: Console, organization: Fields
) -> None:
    made = await console.key(organization)
    path = f"/api/admin/keys/{made['id']}"
    revoked = await console.admin.delete(path)
    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"] is not None
    refused(await console.mine(made, "organization"), 401, says="revoked")
    assert (await console.admin.delete(path)).json() == revoked.json()
    refused(await console.admin.post(f"{path}/rotate"), 409)


async def test_every_change_is_announced_after_it_can_be_seen(
    console: Console, organization: Fields, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as listener:
        await listener.subscribe(CHANNEL)
        await listener.get_message(timeout=5)
        made = await console.key(organization)
        await console.admin.post(f"/api/admin/keys/{made['id']}/rotate")
        await console.admin.delete(f"/api/admin/keys/{made['id']}")
        plan = await console.make("plans", name="Pro")
        await console.subscribe(organization, plan)
        await console.admin.patch(f"/api/admin/plans/{plan['id']}", json={"monthly_quota": 5})
        heard = []
        for _ in range(5):
            message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
            assert message is not None
            heard.append(message["data"].decode())
    assert heard == [organization["id"]] * 4 + ["*"]


async def test_an_expired_key_opens_nothing(console: Console, organization: Fields) -> None:
    made = await console.key(organization, expires_at="2026-01-01T00:00:00+01:00")
    assert made["expires_at"] == "2025-12-31T23:00:00Z"
    refused(await console.mine(made, "organization"), 401, says="expired")


async def test_keys_of_an_inactive_organization_open_nothing(console: Console, organization: Fields) -> None:
    made = await console.key(organization)
    await console.admin.patch(f"/api/admin/organizations/{organization['id']}", json={"active": False})
    refused(await console.mine(made, "organization"), 401, says="not active")


BAD: list[tuple[Fields, str]] = [
    ({}, "name"),
    ({"name": "k", "key": "sk-tk-mine"}, "key"),
    ({"name": "k", "expires_at": "2026-01-01T00:00:00"}, "expires_at"),
    ({"name": "k", "expires_at": 5}, "expires_at"),
    ({"name": "k", "limits": {"requests_per_second": 1}}, "limits.requests_per_second"),
    ({"name": "k", "limits": {"requests_per_minute": -2}}, "limits.requests_per_minute"),
    ({"name": "k", "limits": {"requests_per_minute": 1.5}}, "limits.requests_per_minute"),
    ({"name": "k", "limits": {"requests_per_minute": True}}, "limits.requests_per_minute"),
    ({"name": "k", "limits": {"requests_per_minute": 10**30}}, "limits.requests_per_minute"),
    ({"name": "k", "limits": {"spend_per_month": "NaN"}}, "limits.spend_per_month"),
    ({"name": "k", "limits": {"spend_per_month": "-0.5"}}, "limits.spend_per_month"),
    ({"name": "k", "limits": {"members": 3}}, "limits"),
    ({"name": "k", "project_id": "proj_1"}, "project_id"),
    ({"name": "k", "member_id": "mem_1"}, "member_id"),
    ({"name": "k", "project_id": "a\0"}, "project_id"),
]


async def test_bad_fields_are_refused_by_name(console: Console, organization: Fields) -> None:
    for body, param in BAD:
        answer = await console.admin.post(f"/api/admin/organizations/{organization['id']}/keys", json=body)
        refused(answer, 400, param)


async def test_another_organizations_project_and_member_are_refused(
    console: Console, organization: Fields
) -> None:
    other = await console.make("organizations", name="Other")
    project = await console.make(f"organizations/{other['id']}/projects", name="Web")
    member = await console.make(f"organizations/{other['id']}/members", keycloak_user_id="u")
    path = f"/api/admin/organizations/{organization['id']}/keys"
    refused(
        await console.admin.post(path, json={"name": "k", "project_id": project["id"]}), 400, "project_id"
    )
    refused(await console.admin.post(path, json={"name": "k", "member_id": member["id"]}), 400, "member_id")


async def test_unknown_ones_are_not_found(console: Console) -> None:
    refused(await console.admin.post(f"/api/admin/organizations/{UNKNOWN}/keys", json={"name": "k"}), 404)
    refused(await console.admin.get(f"/api/admin/organizations/{UNKNOWN}/keys"), 404)
    refused(await console.admin.delete("/api/admin/keys/key_0"), 404)
    refused(await console.admin.post("/api/admin/keys/key_0/rotate"), 404)


async def test_the_list_is_paged(console: Console, organization: Fields) -> None:
    made = [(await console.key(organization))["id"] for _ in range(5)]
    rows = await console.all_pages(f"/api/admin/organizations/{organization['id']}/keys", 2)
    assert [row["id"] for row in rows] == made
