"""People with an access token: one member each, in the organization that the token names, if there is a place."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.changes import EVERYONE
from ledger.database import DatabaseUnavailable, close_pool, open_pool
from ledger.keys import KeyHasher
from proxy.errors import Refusal
from proxy.identity.directory import Directory, Entry
from proxy.identity.lookups import FRESH_SECONDS, STALE_SECONDS
from proxy.identity.people import People
from proxy.identity.tokens.claims import Person
from tests.keycloak import Keycloak, Realm
from tests.proxy.identity.conftest import Clock, Verifying
from tests.system import KEY_SECRET, System, Tenant


class Ledger:
    """The directory of a real ledger, with a door that can be shut; counts who comes."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.asked = 0
        self.away = False

    async def find(self, person: Person, organization_id: str) -> Entry | None:
        self.asked += 1
        if self.away:
            raise DatabaseUnavailable("away")
        return await self._directory.find_person(person, organization_id)


@pytest.fixture
async def ledger(house: System) -> AsyncIterator[Ledger]:
    pool = await open_pool(house.database_url, size=5)
    yield Ledger(Directory(pool, KeyHasher(KEY_SECRET.encode()), lambda: datetime.now(UTC)))
    await close_pool(pool)


@pytest.fixture
def people(ledger: Ledger, realm: Realm, verifying: Verifying, clock: Clock) -> People:
    return People(verifying(realm).verify, ledger.find, clock.ticks)


async def refused(people: People, token: str) -> tuple[int, str | None]:
    with pytest.raises(Refusal) as caught:
        await people.resolve(token)
    return caught.value.status, caught.value.code


async def members(house: System, tenant: Tenant) -> list[dict[str, object]]:
    query = "select * from member where organization_id = $1 order by joined_at"
    return await house.fetch(query, tenant.organization_id)


async def test_a_person_is_one_member_whatever_the_token(house: System, people: People, realm: Realm) -> None:
    tenant = await house.tenant()
    of_tenant: dict[str, Any] = {"organization_id": tenant.organization_id}
    first = await people.resolve(realm.token(**of_tenant, organization_role="admin"))
    again = await people.resolve(realm.token(**of_tenant, email="new@atelier.example"))
    (member,) = await members(house, tenant)
    assert first.member_id == again.member_id == member["id"]
    assert (member["issuer"], member["keycloak_user_id"]) == (realm.issuer, realm.claims()["sub"])
    assert (member["email"], member["role"], member["active"]) == ("camille@atelier.example", "admin", True)
    assert first.organization_id == tenant.organization_id
    assert (first.key_id, first.key, first.project_id) == (None, None, None)
    assert [scope.id for scope in first.scopes(None)] == [f"o:{tenant.organization_id}"]
    (entry,) = await house.fetch("select * from audit where object = $1", member["id"])
    assert (entry["actor"], entry["action"]) == ("keycloak", "member.create")


@pytest.mark.parametrize("role", [None, "king", 7, ["owner", "admin"], ""])
async def test_whoever_brings_no_known_role_joins_as_a_plain_member(
    house: System, people: People, realm: Realm, role: object
) -> None:
    tenant = await house.tenant()
    await people.resolve(realm.token(organization_id=[tenant.organization_id], organization_role=role))
    assert [member["role"] for member in await members(house, tenant)] == ["member"]


async def test_the_same_subject_of_another_issuer_is_somebody_else(
    house: System, ledger: Ledger, provider: Keycloak, verifying: Verifying
) -> None:
    tenant = await house.tenant()
    realms = provider.realm(), provider.realm()
    people = People(verifying(*realms).verify, ledger.find)
    one, other = [await people.resolve(r.token(organization_id=tenant.organization_id)) for r in realms]
    assert one.member_id != other.member_id


async def test_100_first_calls_at_once_make_one_member_and_ask_the_ledger_once(
    house: System, ledger: Ledger, people: People, realm: Realm
) -> None:
    tenant = await house.tenant()
    token = realm.token(organization_id=tenant.organization_id)
    principals = await asyncio.gather(*(people.resolve(token) for _ in range(100)))
    assert len({principal.member_id for principal in principals}) == 1
    assert len(await members(house, tenant)) == 1
    assert ledger.asked == 1


async def test_two_processes_that_see_a_person_first_make_one_member(
    house: System, ledger: Ledger, realm: Realm, verifying: Verifying
) -> None:
    tenant = await house.tenant()
    token = realm.token(organization_id=tenant.organization_id)
    processes = [People(verifying(realm).verify, ledger.find) for _ in range(4)]
    principals = await asyncio.gather(*(people.resolve(token) for people in processes))
    assert [member["id"] for member in await members(house, tenant)] == [principals[0].member_id]
    assert len({principal.member_id for principal in principals}) == 1


async def test_a_plan_takes_no_more_members_than_it_allows(
    house: System, ledger: Ledger, people: People, realm: Realm
) -> None:
    tenant = await house.tenant(limits={"members": 1})
    of_tenant: dict[str, Any] = {"organization_id": tenant.organization_id}
    await people.resolve(realm.token(**of_tenant))
    for _ in range(3):
        assert await refused(people, realm.token(**of_tenant, sub="another")) == (403, "plan_limit_reached")
    assert ledger.asked == 2
    assert len(await members(house, tenant)) == 1
    # Who has a place keeps it.
    await people.resolve(realm.token(**of_tenant))


async def test_a_rush_of_newcomers_over_several_processes_fills_the_places_and_no_more(
    house: System, ledger: Ledger, realm: Realm, verifying: Verifying
) -> None:
    tenant = await house.tenant(limits={"members": 3})
    tokens = [realm.account(tenant.organization_id).token() for _ in range(8)]
    processes = [People(verifying(realm).verify, ledger.find) for _ in range(2)]

    async def comes(people: People, token: str) -> str | None:
        try:
            return (await people.resolve(token)).member_id
        except Refusal as refusal:
            return refusal.code

    came = await asyncio.gather(*(comes(people, token) for people in processes for token in tokens))
    assert came[:8] == came[8:]
    places = [member["id"] for member in await members(house, tenant)]
    assert len(places) == 3
    assert set(came) == {*places, "plan_limit_reached"}


async def test_the_organization_must_be_named_known_and_active(
    house: System, people: People, realm: Realm
) -> None:
    for claim in (None, "", 7, [], ["org_1", "org_2"], {"id": "org_1"}, "org\x00"):
        assert await refused(people, realm.token(organization_id=claim)) == (403, "organization_required")
    assert await refused(people, realm.token(organization_id="org_nobody")) == (403, "organization_unknown")
    tenant = await house.tenant()
    await house.execute("update organization set active = false where id = $1", tenant.organization_id)
    token = realm.token(organization_id=tenant.organization_id)
    assert await refused(people, token) == (403, "organization_inactive")
    assert await members(house, tenant) == []


async def test_an_organization_without_a_plan_is_refused(house: System, people: People, realm: Realm) -> None:
    tenant = await house.tenant()
    await house.execute("delete from subscription where organization_id = $1", tenant.organization_id)
    token = realm.token(organization_id=tenant.organization_id)
    assert await refused(people, token) == (402, "no_active_plan")


async def test_a_member_who_was_switched_off_is_refused_at_once(
    house: System, people: People, realm: Realm
) -> None:
    tenant = await house.tenant()
    token = realm.token(organization_id=tenant.organization_id)
    await people.resolve(token)
    await house.execute("update member set active = false where organization_id = $1", tenant.organization_id)
    await people.resolve(token)
    people.forget(tenant.organization_id)
    assert await refused(people, token) == (403, "member_inactive")


async def test_people_serve_while_the_ledger_is_away_but_not_for_ever(
    house: System, ledger: Ledger, people: People, realm: Realm, clock: Clock
) -> None:
    tenant = await house.tenant()
    token = realm.token(organization_id=tenant.organization_id, exp=9_999_999_999)
    principal = await people.resolve(token)
    ledger.away = True
    people.forget(EVERYONE)
    clock.seconds = STALE_SECONDS - FRESH_SECONDS
    assert (await people.resolve(token)).member_id == principal.member_id
    newcomer = realm.token(organization_id=tenant.organization_id, sub="newcomer", exp=9_999_999_999)
    assert await refused(people, newcomer) == (503, "token_check_unavailable")
    clock.seconds = STALE_SECONDS + FRESH_SECONDS
    assert await refused(people, token) == (503, "token_check_unavailable")


async def test_only_a_role_of_the_realm_or_of_our_client_makes_an_administrator(
    house: System, people: People, realm: Realm
) -> None:
    tenant = await house.tenant()

    async def is_admin(**claims: Any) -> bool:
        principal = await people.resolve(realm.token(organization_id=tenant.organization_id, **claims))
        return principal.is_admin

    admin = {"roles": ["ADMIN"]}
    assert await is_admin(realm_access=admin)
    assert await is_admin(resource_access={"tollkeeper": admin})
    assert not await is_admin(resource_access={"another-service": admin})
    odd_ones: tuple[Any, ...] = (
        None,
        [],
        "ADMIN",
        {"roles": "ADMINISTRATOR"},
        {"roles": [["ADMIN"]]},
        {"roles": {"ADMIN": 1}},
    )
    for odd in odd_ones:
        assert not await is_admin(realm_access=odd, resource_access={"tollkeeper": odd, "x": odd})
    assert not await is_admin(roles=["ADMIN"], realm_access={"roles": ["admin", "ADMIN "]})
    principal = await people.resolve(
        realm.token(
            organization_id=tenant.organization_id,
            realm_access={"roles": ["a"]},
            resource_access={"tollkeeper": {"roles": ["b"]}, "account": {"roles": ["c"]}},
        )
    )
    assert principal.roles == {"a", "b"}
