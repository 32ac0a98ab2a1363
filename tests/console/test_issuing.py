"""Administrators and members by the word of an issuer: the same promises of the local one and of a real Keycloak."""

from collections.abc import AsyncIterator

import httpx
import pytest

from console.operations import OPERATIONS
from ledger.database import Pool, reading
from tests.console.running import Console, Fields, Record, refused, serving
from tests.issuing import IssuingRealm, Provider
from tests.keycloak import AUDIENCE


@pytest.fixture(scope="module")
def realm(issuing: Provider) -> IssuingRealm:
    return issuing.realm()


_QUERIES = {"/api/me/reports": "?template=usage&from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z"}
"""What must be said of what is asked for."""


@pytest.fixture
async def console(database_url: str, redis_url: str, realm: IssuingRealm) -> AsyncIterator[Console]:
    trust = {"KEYCLOAK_ISSUER": realm.issuer, "KEYCLOAK_AUDIENCE": AUDIENCE}
    async with serving(database_url, redis_url, **trust) as console:
        yield console


async def get(console: Console, path: str, token: str) -> httpx.Response:
    return await console.nobody.get(path, headers={"authorization": f"Bearer {token}"})


async def test_an_administrator_by_keycloak_may_what_the_admin_token_may(
    console: Console, realm: IssuingRealm, pool: Pool
) -> None:
    person = realm.account(admin=True)
    headers = {"authorization": f"Bearer {person.token()}"}
    made = await console.nobody.post("/api/admin/organizations", json={"name": "Atelier"}, headers=headers)
    assert made.status_code == 201
    async with reading(pool) as connection:
        actor = await connection.fetchval("select actor from audit where object = $1", made.json()["id"])
    assert actor == f"{realm.issuer}#{person.subject}"


async def test_an_owner_of_an_organization_is_no_administrator(
    console: Console, realm: IssuingRealm, organization: Fields
) -> None:
    token = realm.account(organization["id"], role="owner").token()
    refused(await get(console, "/api/admin/plans", token), 403, says="ADMIN")


async def test_a_member_sees_its_own_organization_only(
    console: Console, realm: IssuingRealm, organization: Fields, record: Record
) -> None:
    other = await console.make("organizations", name="Another")
    await record("req_ours", organization["id"])
    await record("req_theirs", other["id"])
    person = realm.account(organization["id"])
    token = person.token()
    rows = (await get(console, "/api/me/usage", token)).json()["data"]
    assert [row["request_id"] for row in rows] == ["req_ours"]
    for operation in OPERATIONS:
        if operation.access == "key" and operation.method == "GET" and "{" not in operation.path:
            asked = operation.path + _QUERIES.get(operation.path, "")
            assert (await get(console, asked, token)).status_code == 200, asked
    (member,) = await console.all_pages(f"/api/admin/organizations/{organization['id']}/members", 10)
    assert (member["issuer"], member["keycloak_user_id"]) == (realm.issuer, person.subject)


async def test_a_token_for_another_client_opens_nothing(
    console: Console, realm: IssuingRealm, organization: Fields
) -> None:
    token = realm.account(organization["id"], admin=True, client="elsewhere").token()
    for path in ("/api/me/usage", "/api/admin/plans"):
        refused(await get(console, path, token), 401, says="audience")
