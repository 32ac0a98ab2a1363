"""Keys of an issuer: one fetch at a time, which nobody's leaving ends and nobody waits for without end."""

import asyncio

import httpx
import pytest
from starlette.responses import Response

from proxy.identity.tokens import keyring as module
from proxy.identity.tokens.issuer import Issuer, KeysUnavailable
from proxy.identity.tokens.keyring import KeyRing
from proxy.identity.tokens.signing_keys import SigningKey
from tests.keycloak import Key, Realm, rsa_key
from tests.proxy.identity.conftest import Clock


class Gate:
    """A real issuer, behind a door that can be shut."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self.open = asyncio.Event()
        self.open.set()

    async def keys(self) -> dict[str, SigningKey]:
        await self.open.wait()
        return await self._issuer.keys()


@pytest.fixture
def gate(client: httpx.AsyncClient, realm: Realm) -> Gate:
    return Gate(Issuer(realm.issuer, client))


@pytest.fixture
def ring(gate: Gate, realm: Realm, clock: Clock) -> KeyRing:
    return KeyRing(realm.issuer, gate.keys, clock.ticks)


async def test_a_fetch_survives_the_request_that_began_it(ring: KeyRing, gate: Gate, realm: Realm) -> None:
    gate.open.clear()
    first, second = (asyncio.create_task(ring.key(realm.keys[0].kid)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    assert await second is not None
    assert realm.asked == 1


async def test_a_slow_issuer_holds_up_a_request_no_longer_than_its_patience(
    ring: KeyRing, gate: Gate, realm: Realm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.05)
    gate.open.clear()
    with pytest.raises(KeysUnavailable):
        await ring.key("any")
    gate.open.set()
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 60)
    assert await ring.key(realm.keys[0].kid) is not None
    assert realm.asked == 1


async def test_keys_are_fetched_now_and_then_without_being_asked_for(
    ring: KeyRing, realm: Realm, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.01)
    keeping = asyncio.create_task(ring.keep_fresh())
    kid = realm.keys[0].kid
    key = await ring.key(kid)
    assert key is not None
    withdrawn = Key("rotated", private=rsa_key(1))
    realm.keys[:] = [withdrawn]
    async with asyncio.timeout(10):
        while ring.holds(key):
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])
    await ring.close()


async def test_a_key_that_stays_is_held_through_a_refresh(ring: KeyRing, realm: Realm, clock: Clock) -> None:
    key = await ring.key(realm.keys[0].kid)
    assert key is not None
    realm.keys.append(Key("another", private=rsa_key(1)))
    assert await ring.key("another") is not None
    assert ring.holds(key)


async def test_a_failed_refresh_takes_nothing_away(ring: KeyRing, realm: Realm, clock: Clock) -> None:
    key = await ring.key(realm.keys[0].kid)
    realm.answers["keys"] = Response(b'{"keys": []}')
    with pytest.raises(KeysUnavailable):
        await ring.key("unknown")
    assert key is not None
    assert ring.holds(key)


async def test_closing_ends_a_fetch_under_way(ring: KeyRing, gate: Gate) -> None:
    gate.open.clear()
    waiting = asyncio.create_task(ring.key("any"))
    await asyncio.sleep(0)
    await ring.close()
    with pytest.raises(KeysUnavailable):
        await waiting
