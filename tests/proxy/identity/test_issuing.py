"""A running proxy that trusts an issuer: the same promises of the local one and of a real Keycloak."""

import asyncio
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from ledger.announcements import announce
from proxy.identity.lookups import FRESH_SECONDS
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from tests.issuing import IssuingRealm, Provider
from tests.proxy.identity.trusting import call, members, refusal, system_that_trusts
from tests.system import System


@pytest.fixture(scope="module")
def realms(issuing: Provider) -> tuple[IssuingRealm, IssuingRealm]:
    return issuing.realm(), issuing.realm()


@pytest.fixture(scope="module")
def realm(realms: tuple[IssuingRealm, IssuingRealm]) -> IssuingRealm:
    return realms[0]


@pytest.fixture(scope="module")
def trusting(
    postgres: Postgres, valkey: Valkey, realms: tuple[IssuingRealm, IssuingRealm]
) -> Iterator[System]:
    """A data plane that trusts both realms."""
    with system_that_trusts(postgres, valkey.url(17), *realms) as made:
        made.start("upstream", "drain", "proxy")
        yield made


@pytest.fixture
def remote(postgres: Postgres, valkey: Valkey, issuing: Provider) -> Iterator[tuple[System, IssuingRealm]]:
    """A data plane that is not started yet, and the realm it trusts; the provider may be stopped."""
    realm = issuing.realm()
    with system_that_trusts(postgres, valkey.url(10), realm) as made:
        yield made, realm
    issuing.start()


async def test_a_call_with_a_token_is_recorded_for_its_member(trusting: System, realm: IssuingRealm) -> None:
    tenant = await trusting.tenant()
    person = realm.account(tenant.organization_id, role="billing")
    token = person.token()
    answer = await call(trusting, token)
    assert answer.status_code == 200, answer.text
    assert (await call(trusting, token, stream=True)).status_code == 200
    assert (await call(trusting, person.token())).status_code == 200
    assert (await call(trusting, tenant.key)).status_code == 200
    *by_token, by_key = await trusting.records(tenant, 4)
    (member,) = await members(trusting, tenant)
    assert (member["issuer"], member["keycloak_user_id"]) == (realm.issuer, person.subject)
    assert (member["email"], member["role"], member["active"]) == (person.email, "billing", True)
    assert by_token[0]["request_id"] == answer.headers["x-request-id"]
    assert {(record["key_id"], record["member_id"]) for record in by_token} == {(None, member["id"])}
    assert (by_key["key_id"], by_key["member_id"]) == (tenant.key_id, None)
    assert by_token[0]["output_tokens"] > 0


async def test_a_token_reaches_no_upstream(trusting: System, realm: IssuingRealm) -> None:
    tenant = await trusting.tenant()
    token = realm.account(tenant.organization_id).token()
    assert (await call(trusting, token)).status_code == 200
    assert token not in str(await trusting.books())


async def test_the_limits_of_the_organization_hold_for_tokens_too(
    trusting: System, realm: IssuingRealm
) -> None:
    tenant = await trusting.tenant(limits={"requests_per_minute": 2})
    token = realm.account(tenant.organization_id).token()
    answers = [(await call(trusting, credential)).status_code for credential in (token, tenant.key, token)]
    assert answers == [200, 200, 429]


async def test_every_issuer_that_is_trusted_opens_and_no_other(
    trusting: System, issuing: Provider, realms: tuple[IssuingRealm, IssuingRealm]
) -> None:
    tenant = await trusting.tenant()
    for realm in realms:
        assert (await call(trusting, realm.account(tenant.organization_id).token())).status_code == 200
    stranger = issuing.realm().account(tenant.organization_id)
    status, code, message = await refusal(trusting, stranger.token())
    assert (status, code) == (401, "invalid_api_key")
    assert "issuer" in message
    assert {member["issuer"] for member in await members(trusting, tenant)} == {r.issuer for r in realms}


async def test_a_token_for_another_client_opens_nothing(trusting: System, realm: IssuingRealm) -> None:
    tenant = await trusting.tenant()
    status, code, message = await refusal(
        trusting, realm.account(tenant.organization_id, client="elsewhere").token()
    )
    assert (status, code) == (401, "invalid_api_key")
    assert "audience" in message


async def test_whose_token_names_no_organization_is_told_so(trusting: System, realm: IssuingRealm) -> None:
    status, code, message = await refusal(trusting, realm.account().token())
    assert (status, code) == (403, "organization_required")
    assert "organization_id" in message


async def test_a_person_is_of_the_organization_that_its_token_names(
    trusting: System, realm: IssuingRealm
) -> None:
    ours, theirs = await trusting.tenant(), await trusting.tenant()
    person = realm.account(ours.organization_id, admin=True)
    assert (await call(trusting, person.token())).status_code == 200
    await trusting.records(ours, 1)
    assert await members(trusting, theirs) == []


async def test_a_member_is_switched_off_at_once(trusting: System, realm: IssuingRealm) -> None:
    tenant = await trusting.tenant()
    token = realm.account(tenant.organization_id).token()
    assert (await call(trusting, token)).status_code == 200
    await trusting.execute(
        "update member set active = false where organization_id = $1", tenant.organization_id
    )
    redis = Redis.from_url(trusting.redis_url)
    assert await announce(redis, tenant.organization_id)
    await redis.aclose()
    async with asyncio.timeout(FRESH_SECONDS / 2):
        while (await call(trusting, token)).status_code != 403:
            await asyncio.sleep(0.01)


async def test_a_rotated_key_is_found_and_older_tokens_go_on(trusting: System, realm: IssuingRealm) -> None:
    tenant = await trusting.tenant()
    person = realm.account(tenant.organization_id)
    before = person.token()
    assert (await call(trusting, before)).status_code == 200
    realm.rotate()
    after = [person.token() for _ in range(5)]
    answers = await asyncio.gather(*(call(trusting, token) for token in [before, *after]))
    assert [answer.status_code for answer in answers] == [200] * 6


async def test_a_proxy_outlives_its_issuer(remote: tuple[System, IssuingRealm], issuing: Provider) -> None:
    """Started while Keycloak is away, it serves keys at once, tokens as soon as it can, and then through an outage."""
    house, realm = remote
    tenant = await house.tenant()
    person = realm.account(tenant.organization_id)
    early = person.token()
    issuing.stop()
    house.start("upstream", "proxy")
    assert (await call(house, tenant.key)).status_code == 200
    assert (await refusal(house, early))[:2] == (503, "token_check_unavailable")
    issuing.start()
    token = person.token()
    async with asyncio.timeout(20):
        while (answer := await call(house, token)).status_code == 503:
            await asyncio.sleep(0.05)
    assert answer.status_code == 200
    unseen = person.token()
    issuing.stop()
    assert (await call(house, unseen)).status_code == 200
