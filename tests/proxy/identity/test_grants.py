"""The product's realm in a real Keycloak, by each way in that it offers, before a running proxy."""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.issuing import APP
from tests.keycloak import AUDIENCE
from tests.proxy.identity.logins import PAGE, login_in_a_browser, login_on_a_device
from tests.proxy.identity.trusting import call, members, refusal, system_that_trusts
from tests.real_keycloak import DEMO_FILE, RealKeycloak, RealRealm
from tests.system import System, prepare, system

pytestmark = pytest.mark.keycloak

SERVICE = "tollkeeper-service"


@pytest.fixture(scope="module")
def realm(real_provider: RealKeycloak) -> RealRealm:
    return real_provider.product_realm


@pytest.fixture(scope="module")
def trusting(postgres: Postgres, valkey: Valkey, realm: RealRealm) -> Iterator[System]:
    with system_that_trusts(postgres, valkey.url(11), realm) as made:
        made.start("upstream", "drain", "proxy")
        yield made


def belongs(realm: RealRealm, username: str, organization_id: str) -> None:
    """As an operator says whose somebody is."""
    (user,) = realm.admin("GET", f"/users?username={username}&exact=true")
    user = realm.admin("GET", f"/users/{user['id']}")
    attributes = {**user.get("attributes", {}), "organization_id": [organization_id]}
    realm.admin("PUT", f"/users/{user['id']}", {**user, "attributes": attributes})


def demo_users() -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = orjson.loads(DEMO_FILE.read_bytes())["users"]
    return users


async def test_demo_users_log_in_by_a_browser(trusting: System, realm: RealRealm) -> None:
    tenant = await trusting.tenant()
    for user in demo_users():
        name, password = user["username"], user["credentials"][0]["value"]
        granted = login_in_a_browser(realm, name, password)
        assert (await refusal(trusting, granted["access_token"]))[:2] == (403, "organization_unknown")
        belongs(realm, name, tenant.organization_id)
        granted = login_in_a_browser(realm, name, password)
        assert (await call(trusting, granted["access_token"])).status_code == 200
    joined = {(member["email"], member["role"]) for member in await members(trusting, tenant)}
    assert joined == {("demo-admin@example.com", "owner"), ("demo-member@example.com", "member")}


def test_the_page_s_client_takes_no_passwords_and_no_code_without_its_proof(realm: RealRealm) -> None:
    user = demo_users()[0]
    form = {"username": user["username"], "password": user["credentials"][0]["value"]}
    by_password = {"grant_type": "password", "client_id": APP, **form}
    answer = httpx.post(realm.token_url, data=by_password, timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    asked = {"client_id": APP, "response_type": "code", "redirect_uri": PAGE}
    answer = httpx.get(f"{realm.issuer}/protocol/openid-connect/auth", params=asked, timeout=30)
    assert answer.status_code == 302
    assert "code_challenge" in answer.headers["location"]


async def test_a_command_line_logs_in_by_a_link(trusting: System, realm: RealRealm) -> None:
    tenant = await trusting.tenant()
    user = demo_users()[1]
    belongs(realm, user["username"], tenant.organization_id)
    granted = login_on_a_device(realm, user["username"], user["credentials"][0]["value"])
    assert (await call(trusting, granted["access_token"])).status_code == 200


async def test_a_program_comes_by_its_client_s_secret(trusting: System, realm: RealRealm) -> None:
    tenant = await trusting.tenant()
    secret = realm.client(SERVICE)["secret"]
    assert len(secret) >= 32
    belongs(realm, f"service-account-{SERVICE}", tenant.organization_id)
    granted = realm.grant(grant_type="client_credentials", client_id=SERVICE, client_secret=secret)
    assert (await call(trusting, granted["access_token"])).status_code == 200
    (member,) = await members(trusting, tenant)
    assert (member["email"], member["role"]) == (None, "member")


async def test_a_refreshed_token_is_of_the_same_member(trusting: System, realm: RealRealm) -> None:
    tenant = await trusting.tenant()
    belongs(realm, "demo-member", tenant.organization_id)
    user = demo_users()[1]
    first = login_in_a_browser(realm, user["username"], user["credentials"][0]["value"])
    second = realm.grant(grant_type="refresh_token", client_id=APP, refresh_token=first["refresh_token"])
    assert first["access_token"] != second["access_token"]
    for token in (first["access_token"], second["access_token"]):
        assert (await call(trusting, token)).status_code == 200
    assert len(await members(trusting, tenant)) == 1
    # Once used it is used up: whoever stole it comes too late, or is noticed.
    form = {"grant_type": "refresh_token", "client_id": APP, "refresh_token": first["refresh_token"]}
    assert httpx.post(realm.token_url, data=form, timeout=30).status_code == 400


async def test_a_token_serves_until_it_expires_also_after_the_logout(
    trusting: System, realm: RealRealm
) -> None:
    tenant = await trusting.tenant()
    belongs(realm, "demo-member", tenant.organization_id)
    user = demo_users()[1]
    granted = login_in_a_browser(realm, user["username"], user["credentials"][0]["value"])
    form = {"client_id": APP, "refresh_token": granted["refresh_token"]}
    left = httpx.post(f"{realm.issuer}/protocol/openid-connect/logout", data=form, timeout=30)
    assert left.status_code == 204
    assert (await call(trusting, granted["access_token"])).status_code == 200


async def test_nobody_can_say_which_organization_they_are_of(trusting: System, realm: RealRealm) -> None:
    ours, theirs = await trusting.tenant(), await trusting.tenant()
    belongs(realm, "demo-member", ours.organization_id)
    user = demo_users()[1]
    name, password = user["username"], user["credentials"][0]["value"]
    token = login_in_a_browser(realm, name, password)["access_token"]
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    with httpx.Client(headers=headers, timeout=30) as client:
        profile = client.get(f"{realm.issuer}/account").json()
        assert profile["attributes"]["organization_id"] == [ours.organization_id]
        profile["attributes"] |= {"organization_id": [theirs.organization_id], "organization_role": ["owner"]}
        answer = client.post(f"{realm.issuer}/account", json=profile)
    assert answer.status_code == 400, answer.text
    token = login_in_a_browser(realm, name, password)["access_token"]
    assert (await call(trusting, token)).status_code == 200
    await trusting.records(ours, 1)
    assert await members(trusting, theirs) == []


async def test_a_group_names_the_organization_of_its_people(trusting: System, realm: RealRealm) -> None:
    tenant = await trusting.tenant()
    made = {"name": "Atelier", "attributes": {"organization_id": [tenant.organization_id]}}
    group = realm.admin("POST", "/groups", made)
    person = realm.account()
    try:
        assert (await refusal(trusting, person.token()))[1] == "organization_required"
        realm.admin("PUT", f"/users/{person.subject}/groups/{group}")
        assert (await call(trusting, person.token())).status_code == 200
    finally:
        realm.change_client(APP, directAccessGrantsEnabled=False)
    assert [member["keycloak_user_id"] for member in await members(trusting, tenant)] == [person.subject]


async def test_keycloak_may_have_a_public_name_that_does_not_lead_there_from_here(
    postgres: Postgres, valkey: Valkey, real_provider: RealKeycloak
) -> None:
    realm = real_provider.realm()
    realm.admin("PUT", "", {"attributes": {"frontendUrl": "https://id.atelier.invalid"}})
    public = f"https://id.atelier.invalid/realms/{realm.name}"
    name = "test_public_name"
    await postgres.create_database(name)
    await prepare(postgres.url(name))
    trust = {"KEYCLOAK_ISSUER": public, "KEYCLOAK_AUDIENCE": AUDIENCE}
    trust["KEYCLOAK_INTERNAL_URL"] = real_provider.url
    with system(postgres.url(name), valkey.url(11), **trust) as house:
        house.start("upstream", "proxy")
        tenant = await house.tenant()
        token = realm.account(tenant.organization_id).token()
        assert (await call(house, token)).status_code == 200
        assert {member["issuer"] for member in await members(house, tenant)} == {public}
