"""Keycloak's access tokens at the console: administrators see all, members their own organization."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from console.operations import OPERATIONS
from tests.console.running import Console, Fields, refused, serving
from tests.keycloak import AUDIENCE, Key, Keycloak, Realm, rsa_key

ADMIN: dict[str, Any] = {"realm_access": {"roles": ["ADMIN"]}}


@pytest.fixture
def realm(provider: Keycloak) -> Realm:
    return provider.realm()


@pytest.fixture
async def console(database_url: str, redis_url: str, realm: Realm) -> AsyncIterator[Console]:
    trust = {"KEYCLOAK_ISSUER": realm.issuer, "KEYCLOAK_AUDIENCE": AUDIENCE}
    async with serving(database_url, redis_url, **trust) as console:
        yield console


async def get(console: Console, path: str, token: str) -> httpx.Response:
    return await console.nobody.get(path, headers={"authorization": f"Bearer {token}"})


async def test_a_role_that_our_own_client_gave_counts_another_clients_does_not(
    console: Console, realm: Realm
) -> None:
    for client, status in ((AUDIENCE, 200), ("another", 403)):
        token = realm.token(resource_access={client: {"roles": ["ADMIN"]}})
        assert (await get(console, "/api/admin/plans", token)).status_code == status


async def test_every_admin_operation_refuses_a_member(
    console: Console, realm: Realm, organization: Fields
) -> None:
    token = realm.token(organization_id=organization["id"], organization_role="owner")
    for operation in OPERATIONS:
        if operation.access == "admin":
            path = operation.path.replace("{id}", organization["id"])
            headers = {"authorization": f"Bearer {token}"}
            refused(await console.nobody.request(operation.method, path, headers=headers), 403, says="ADMIN")


async def test_tokens_that_are_not_good_open_nothing(
    console: Console, realm: Realm, organization: Fields
) -> None:
    of_ours: dict[str, Any] = {"organization_id": organization["id"], **ADMIN}
    intruder = Key(realm.keys[0].kid, private=rsa_key(1))
    bad = [
        realm.token(key=intruder, **of_ours),
        realm.token(azp="another", **of_ours),
        realm.token(exp=1_700_000_000, **of_ours),
        "a.b.c",
    ]
    for token in bad:
        for path in ("/api/me/usage", "/api/admin/plans"):
            refused(await get(console, path, token), 401)
    refused(await get(console, "/api/me/usage", realm.token(**ADMIN)), 403, says="organization_id")


async def test_an_administrator_without_an_organization_has_none_to_see(
    console: Console, realm: Realm
) -> None:
    token = realm.token(organization_id="org_nobody", **ADMIN)
    refused(await get(console, "/api/me/usage", token), 403, says="not known")


async def test_a_member_who_was_named_before_its_first_token_is_found_by_it(
    console: Console, realm: Realm, organization: Fields
) -> None:
    path = f"organizations/{organization['id']}/members"
    person = realm.account(organization["id"], role="owner")
    made = await console.make(path, keycloak_user_id=person.subject, role="billing")
    assert made["issuer"] == realm.issuer
    assert (await get(console, "/api/me/usage", person.token())).status_code == 200
    assert await console.all_pages(f"/api/admin/{path}", 10) == [made]


async def test_a_member_of_an_issuer_that_is_not_accepted_is_refused(
    console: Console, realm: Realm, organization: Fields
) -> None:
    fields = {"keycloak_user_id": "u", "issuer": f"{realm.issuer}/"}
    answer = await console.admin.post(f"/api/admin/organizations/{organization['id']}/members", json=fields)
    refused(answer, 400, "issuer", says=realm.issuer)
