"""API keys: looked up once, revoked at once, served on while the ledger is away; guessing costs nobody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from ledger import api_keys
from ledger.announcements import announce
from ledger.changes import EVERYONE
from ledger.database import DatabaseUnavailable, close_pool, open_pool, transaction
from ledger.keys import KeyHasher
from proxy.errors import Refusal
from proxy.identity import lookups as cache
from proxy.identity.api_keys import ApiKeys
from proxy.identity.directory import Directory, Entry
from tests.system import KEY_SECRET, System, Tenant

HASHER = KeyHasher(KEY_SECRET.encode())
MODELS = "/v1/models"


class Ledger:
    """The directory of a real ledger, with a door that can be shut or stuck; counts who comes."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.asked = 0
        self.away = False
        self.stuck: asyncio.Event | None = None

    async def find(self, key: str) -> Entry | None:
        self.asked += 1
        if self.stuck is not None:
            await self.stuck.wait()
        if self.away:
            raise DatabaseUnavailable("away")
        return await self._directory.find(key)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(house: System) -> AsyncIterator[Ledger]:
    pool = await open_pool(house.database_url, size=2)
    yield Ledger(Directory(pool, HASHER, _now))
    await close_pool(pool)


@pytest.fixture
def keys(ledger: Ledger, clock: Clock) -> ApiKeys:
    return ApiKeys(ledger.find, _now, clock)


def _now() -> datetime:
    return datetime.now(UTC)


async def refused(keys: ApiKeys, key: str) -> int:
    with pytest.raises(Refusal) as caught:
        await keys.resolve(key)
    return caught.value.status


async def status(house: System, tenant: Tenant) -> int:
    async with house.client(tenant) as client:
        return (await client.get(MODELS)).status_code


async def announced(house: System, organization_id: str) -> None:
    redis = Redis.from_url(house.redis_url)
    try:
        assert await announce(redis, organization_id)
    finally:
        await redis.aclose()


async def answers_with(house: System, tenant: Tenant, wanted: int) -> None:
    """The message needs a moment to arrive, but by far less than an entry stays fresh."""
    async with asyncio.timeout(cache.FRESH_SECONDS / 2):
        while await status(house, tenant) != wanted:
            await asyncio.sleep(0.01)


async def test_a_revoked_key_is_refused_at_once(house: System) -> None:
    tenant = await house.tenant()
    assert await status(house, tenant) == 200
    await house.execute("update api_key set revoked_at = now() where id = $1", tenant.key_id)
    assert await status(house, tenant) == 200
    await announced(house, tenant.organization_id)
    await answers_with(house, tenant, 401)


async def test_a_key_that_is_made_after_it_was_tried_works_at_once(house: System) -> None:
    tenant = await house.tenant()
    made = HASHER.make()
    new = Tenant(tenant.organization_id, tenant.plan_id, "", made.secret)
    assert await status(house, new) == 401
    pool = await open_pool(house.database_url, size=1)
    async with transaction(pool) as connection:
        await api_keys.create(connection, "test", tenant.organization_id, made, name="late")
    await close_pool(pool)
    assert await status(house, new) == 401
    await announced(house, tenant.organization_id)
    await answers_with(house, new, 200)


async def test_a_message_that_is_no_text_does_not_end_the_listening(house: System) -> None:
    tenant = await house.tenant()
    redis = Redis.from_url(house.redis_url)
    await redis.publish(cache.__name__, b"")
    await redis.publish("tollkeeper:changed", b"\xff\xfe")
    await redis.aclose()
    assert await status(house, tenant) == 200
    await house.execute("update api_key set revoked_at = now() where id = $1", tenant.key_id)
    async with asyncio.timeout(cache.FRESH_SECONDS / 2):
        while await status(house, tenant) != 401:
            await announced(house, tenant.organization_id)
            await asyncio.sleep(0.05)


async def test_100_first_calls_at_once_ask_the_ledger_once(
    house: System, ledger: Ledger, keys: ApiKeys
) -> None:
    tenant = await house.tenant()
    found = await asyncio.gather(*(keys.resolve(tenant.key) for _ in range(100)))
    assert {principal.key_id for principal in found} == {tenant.key_id}
    assert ledger.asked == 1


async def test_a_look_up_survives_the_request_that_began_it(
    house: System, ledger: Ledger, keys: ApiKeys
) -> None:
    tenant = await house.tenant()
    ledger.stuck = asyncio.Event()
    first = asyncio.create_task(keys.resolve(tenant.key))
    second = asyncio.create_task(keys.resolve(tenant.key))
    await asyncio.sleep(0)
    first.cancel()
    ledger.stuck.set()
    assert (await second).key_id == tenant.key_id
    assert ledger.asked == 1


async def test_what_a_look_up_saw_before_a_change_is_not_kept(
    house: System, ledger: Ledger, keys: ApiKeys
) -> None:
    tenant = await house.tenant()
    ledger.stuck = asyncio.Event()
    early = asyncio.create_task(keys.resolve(tenant.key))
    await asyncio.sleep(0)
    keys.forget(tenant.organization_id)
    ledger.stuck.set()
    await early
    await keys.resolve(tenant.key)
    assert ledger.asked == 2


async def test_guessed_keys_drive_no_known_key_out(
    house: System, ledger: Ledger, keys: ApiKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_ENTRIES", 2)
    monkeypatch.setattr(cache, "_UNKNOWN_ENTRIES", 2)
    tenant = await house.tenant()
    await keys.resolve(tenant.key)
    for number in range(5):
        assert await refused(keys, f"sk-tk-guess-{number}") == 401
    asked = ledger.asked
    await keys.resolve(tenant.key)
    assert ledger.asked == asked
    # The last two guesses are remembered, the ones before are not.
    for number in (3, 4):
        assert await refused(keys, f"sk-tk-guess-{number}") == 401
    assert ledger.asked == asked
    assert await refused(keys, "sk-tk-guess-0") == 401
    assert ledger.asked == asked + 1


async def test_a_known_key_serves_while_the_ledger_is_away_but_not_for_ever(
    house: System, ledger: Ledger, keys: ApiKeys, clock: Clock
) -> None:
    tenant = await house.tenant()
    await keys.resolve(tenant.key)
    ledger.away = True
    clock.seconds = cache.STALE_SECONDS - 1
    assert (await keys.resolve(tenant.key)).key_id == tenant.key_id
    assert await refused(keys, "sk-tk-not-seen-before") == 503
    clock.seconds += 2
    assert await refused(keys, tenant.key) == 503
    ledger.away = False
    async with asyncio.timeout(5):
        while ledger.asked:
            try:
                await keys.resolve(tenant.key)
                break
            except Refusal:
                await asyncio.sleep(0.01)


async def test_a_reconnect_to_redis_does_not_forget_the_keys_that_serve_without_the_ledger(
    house: System, ledger: Ledger, keys: ApiKeys
) -> None:
    tenant = await house.tenant()
    await keys.resolve(tenant.key)
    ledger.away = True
    keys.forget(EVERYONE)
    assert (await keys.resolve(tenant.key)).key_id == tenant.key_id
    # What certainly changed is not served from memory.
    keys.forget(tenant.organization_id)
    assert await refused(keys, tenant.key) == 503


async def test_a_stuck_ledger_holds_up_known_keys_once_and_briefly(
    house: System, ledger: Ledger, keys: ApiKeys, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_PATIENCE_SECONDS", 0.05)
    one, other = await house.tenant(), await house.tenant()
    for tenant in (one, other):
        await keys.resolve(tenant.key)
    ledger.stuck = asyncio.Event()
    clock.seconds = cache.FRESH_SECONDS + 1
    async with asyncio.timeout(5):
        assert (await keys.resolve(one.key)).key_id == one.key_id
    monkeypatch.setattr(cache, "_PATIENCE_SECONDS", 60)
    async with asyncio.timeout(5):
        for _ in range(10):
            clock.seconds += 2
            assert (await keys.resolve(other.key)).key_id == other.key_id
    await asyncio.sleep(0)
    # However often they were asked for, one look-up of each is under way.
    assert ledger.asked == 4
    ledger.stuck.set()


async def test_an_expiry_is_judged_at_every_request(house: System, ledger: Ledger) -> None:
    tenant = await house.tenant()
    soon = _now() + timedelta(seconds=60)
    await house.execute("update api_key set expires_at = $2 where id = $1", tenant.key_id, soon)
    at = [_now()]
    keys = ApiKeys(ledger.find, lambda: at[0])
    await keys.resolve(tenant.key)
    at[0] = soon
    assert await refused(keys, tenant.key) == 401
    assert ledger.asked == 1
