"""A realm for each test of identities, and verifiers of its tokens by a clock of the test."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from proxy.identity.tokens.issuer import Issuer
from proxy.identity.tokens.keyring import KeyRing
from proxy.identity.tokens.verifier import Verifier
from tests.issuing import IssuingRealm
from tests.keycloak import AUDIENCE, Keycloak, Realm


@pytest.fixture
def realm(provider: Keycloak) -> Realm:
    return provider.realm()


class Clock:
    """The steady clock and the wall clock; time passes as it does, and by `seconds` more."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def ticks(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


Verifying = Callable[..., Verifier]


@pytest.fixture
def verifying(client: httpx.AsyncClient, clock: Clock) -> Verifying:
    def make(*realms: IssuingRealm) -> Verifier:
        rings = [KeyRing(realm.issuer, Issuer(realm.issuer, client).keys, clock.ticks) for realm in realms]
        return Verifier(rings, [AUDIENCE, "another-client"], clock.now)

    return make
