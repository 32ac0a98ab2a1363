"""A running proxy that takes access tokens beside API keys: what only an issuer of ours can show, by forging."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.keycloak import Key, Keycloak, Realm, forged, rsa_key
from tests.proxy.identity.trusting import call, refusal, system_that_trusts
from tests.system import System


@pytest.fixture(scope="module")
def realms(provider: Keycloak) -> tuple[Realm, Realm]:
    return provider.realm(Key("shared name")), provider.realm(Key("shared name", private=rsa_key(1)))


@pytest.fixture(scope="module")
def trusting(postgres: Postgres, valkey: Valkey, realms: tuple[Realm, Realm]) -> Iterator[System]:
    """A data plane that trusts two issuers."""
    with system_that_trusts(postgres, valkey.url(9), *realms) as made:
        made.start("upstream", "drain", "proxy")
        yield made


async def test_each_issuer_opens_with_its_own_key_only(trusting: System, realms: tuple[Realm, Realm]) -> None:
    one, other = realms
    tenant = await trusting.tenant()
    of_tenant: dict[str, Any] = {"organization_id": tenant.organization_id}
    for realm in realms:
        assert (await call(trusting, realm.token(**of_tenant))).status_code == 200
    for realm, key in ((one, other.keys[0]), (other, one.keys[0])):
        status, code, message = await refusal(trusting, realm.token(key=key, **of_tenant))
        assert (status, code) == (401, "invalid_api_key")
        assert "signature" in message


async def test_what_opens_nothing_is_refused_and_charged_to_nobody(
    trusting: System, realms: tuple[Realm, Realm]
) -> None:
    realm = realms[0]
    tenant = await trusting.tenant()
    claims = realm.claims(organization_id=tenant.organization_id)
    header = {"alg": "HS256", "typ": "JWT", "kid": realm.keys[0].kid}
    tokens = [
        forged(header, claims, realm.keys[0].pem),
        forged({**header, "alg": "none"}, claims),
        realm.token(organization_id=tenant.organization_id, azp="elsewhere"),
        realm.token(organization_id=tenant.organization_id, exp=1_700_000_000),
        realm.token(organization_id=tenant.organization_id, iss="https://elsewhere.example"),
        "a.b.c",
        "..",
        realm.token(organization_id=tenant.organization_id) + "A" * 20_000,
    ]
    for token in tokens:
        status, code, _ = await refusal(trusting, token)
        assert (status, code) == (401, "invalid_api_key")
    status, code, message = await refusal(trusting, realm.token())
    assert (status, code) == (403, "organization_required")
    assert "organization_id" in message
    assert (await call(trusting, tenant.key)).status_code == 200
    await trusting.records(tenant, 1)


async def test_a_rotated_key_is_found(trusting: System, realms: tuple[Realm, Realm]) -> None:
    realm = realms[0]
    tenant = await trusting.tenant()
    realm.keys.insert(0, Key("rotated", "PS256", rsa_key(2)))
    tokens = [realm.token(organization_id=tenant.organization_id) for _ in range(20)]
    asked = realm.asked
    answers = await asyncio.gather(*(call(trusting, token) for token in tokens))
    assert {answer.status_code for answer in answers} == {200}
    assert realm.asked == asked + 1


async def test_without_an_issuer_a_token_is_told_that_only_keys_are_accepted(
    house: System, realm: Realm
) -> None:
    tenant = await house.tenant()
    token = realm.token(organization_id=tenant.organization_id)
    status, code, message = await refusal(house, token)
    assert (status, code) == (401, "invalid_api_key")
    assert "only API keys" in message
