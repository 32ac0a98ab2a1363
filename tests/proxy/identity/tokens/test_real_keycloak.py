"""Tokens and keys as a real Keycloak makes them, judged by a verifier whose clock the test moves."""

import time
from collections.abc import Callable

import httpx
import jwt
import pytest

from proxy.errors import Refusal
from proxy.identity.tokens.claims import LEEWAY_SECONDS
from proxy.identity.tokens.issuer import Issuer
from proxy.identity.tokens.keyring import COOLDOWN_SECONDS, REFRESH_SECONDS, KeyRing
from proxy.identity.tokens.signing_keys import SigningKey
from proxy.identity.tokens.verifier import Verifier
from tests.issuing import APP
from tests.keycloak import AUDIENCE, Key, ec_key
from tests.proxy.identity.conftest import Clock
from tests.real_keycloak import RealKeycloak, RealRealm

pytestmark = pytest.mark.keycloak


class Counted:
    """A real issuer that counts how often its keys are read."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self.asked = 0

    async def keys(self) -> dict[str, SigningKey]:
        self.asked += 1
        return await self._issuer.keys()


Verifying = Callable[[RealRealm], tuple[Verifier, Counted]]


@pytest.fixture(scope="module")
def real_realm(real_provider: RealKeycloak) -> RealRealm:
    return real_provider.realm()


@pytest.fixture
def trusting(client: httpx.AsyncClient, clock: Clock) -> Verifying:
    def make(realm: RealRealm) -> tuple[Verifier, Counted]:
        counted = Counted(Issuer(realm.issuer, client))
        ring = KeyRing(realm.issuer, counted.keys, clock.ticks)
        return Verifier([ring], [AUDIENCE], clock.now), counted

    return make


async def refused(verifier: Verifier, token: str, says: str, status: int = 401) -> None:
    with pytest.raises(Refusal) as caught:
        await verifier.verify(token)
    assert caught.value.status == status
    assert says in caught.value.message


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_the_person_of_a_token(real_realm: RealRealm, trusting: Verifying) -> None:
    verifier, _ = trusting(real_realm)
    account = real_realm.account("org_1", role="owner", admin=True)
    person = await verifier.verify(account.token())
    assert (person.issuer, person.subject) == (real_realm.issuer, account.subject)
    assert (person.email, person.organization_id) == (account.email, "org_1")
    assert (person.organization_role, person.is_admin) == ("owner", True)
    plain = await verifier.verify(real_realm.account("org_1").token())
    assert (plain.organization_role, plain.is_admin) == ("member", False)
    assert plain.roles >= {"USER"}


async def test_a_role_of_our_client_counts_and_one_of_another_does_not(
    real_realm: RealRealm, trusting: Verifying
) -> None:
    verifier, _ = trusting(real_realm)
    real_realm.let_passwords_in("elsewhere")
    for client, counts in ((AUDIENCE, True), ("elsewhere", False)):
        account = real_realm.account("org_1")
        held_by = real_realm.client(client)["id"]
        real_realm.admin("POST", f"/clients/{held_by}/roles", {"name": "ADMIN"})
        role = real_realm.admin("GET", f"/clients/{held_by}/roles/ADMIN")
        real_realm.admin("POST", f"/users/{account.subject}/role-mappings/clients/{held_by}", [role])
        assert (await verifier.verify(account.token())).is_admin is counts


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "PS512", "ES256", "ES384", "ES512"])
async def test_tokens_of_other_algorithms_open(
    real_realm: RealRealm, trusting: Verifying, algorithm: str
) -> None:
    token = _signed_by(real_realm, algorithm)
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    verifier, _ = trusting(real_realm)
    assert (await verifier.verify(token)).organization_id == "org_1"


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "EdDSA"])
async def test_tokens_of_algorithms_that_are_not_accepted_do_not(
    real_realm: RealRealm, trusting: Verifying, algorithm: str
) -> None:
    token = _signed_by(real_realm, algorithm)
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    verifier, _ = trusting(real_realm)
    await refused(verifier, token, "algorithm")


def _signed_by(realm: RealRealm, algorithm: str) -> str:
    account = realm.account("org_1")
    attributes = realm.client(APP)["attributes"]
    realm.change_client(APP, attributes={**attributes, "access.token.signed.response.alg": algorithm})
    try:
        return account.token()
    finally:
        realm.change_client(APP, attributes={**attributes, "access.token.signed.response.alg": ""})


async def test_only_access_tokens_are_credentials(real_realm: RealRealm, trusting: Verifying) -> None:
    verifier, _ = trusting(real_realm)
    granted = real_realm.account("org_1").login()
    await verifier.verify(granted["access_token"])
    await refused(verifier, granted["refresh_token"], "algorithm")
    await refused(verifier, granted["id_token"], "no bearer")


async def test_a_token_that_is_bound_to_a_key_is_refused(real_realm: RealRealm, trusting: Verifying) -> None:
    """DPoP: whoever steals it could use it here, where nobody asks for the proof."""
    account = real_realm.account("org_1")
    key = Key("proof", "ES256", ec_key())
    public = {name: key.jwk[name] for name in ("kty", "crv", "x", "y")}
    claims = {"jti": "1", "htm": "POST", "htu": real_realm.token_url, "iat": int(time.time())}
    proof = jwt.encode(claims, key.private, "ES256", {"typ": "dpop+jwt", "jwk": public})
    granted = account.login(headers={"DPoP": proof})
    assert granted["token_type"] == "DPoP"
    verifier, _ = trusting(real_realm)
    await refused(verifier, granted["access_token"], "no bearer")


async def test_a_token_ends_when_it_expires(
    real_provider: RealKeycloak, trusting: Verifying, clock: Clock
) -> None:
    realm = real_provider.realm()
    realm.admin("PUT", "", {"accessTokenLifespan": 60})
    verifier, _ = trusting(realm)
    account = realm.account("org_1")
    seen, unseen = account.token(), account.token()
    await verifier.verify(seen)
    clock.seconds = 60 + LEEWAY_SECONDS - 10
    await verifier.verify(seen)
    clock.seconds = 60 + LEEWAY_SECONDS + 1
    for token in (seen, unseen):
        await refused(verifier, token, "expired")


async def test_a_rotated_key_costs_one_fetch_and_the_old_one_opens_until_it_is_withdrawn(
    real_provider: RealKeycloak, trusting: Verifying, clock: Clock
) -> None:
    realm = real_provider.realm()
    verifier, issuer = trusting(realm)
    account = realm.account("org_1")
    first = account.token()
    await verifier.verify(first)
    provider = realm.rotate()
    second = [account.token() for _ in range(3)]
    assert {kid(token) for token in second} != {kid(first)}
    for token in (*second, first, account.token()):
        await verifier.verify(token)
    assert issuer.asked == 2
    # The next rotation within the cooldown waits for its end.
    realm.rotate("ecdsa-generated", ecdsaEllipticCurveKey="P-256")
    realm.rotate()
    third = account.token()
    await refused(verifier, third, "does not have")
    clock.seconds += COOLDOWN_SECONDS
    await verifier.verify(third)
    assert issuer.asked == 3
    realm.admin("DELETE", f"/components/{provider}")
    clock.seconds += COOLDOWN_SECONDS
    realm.rotate()
    await verifier.verify(account.token())
    await refused(verifier, second[0], "does not have")


async def test_known_keys_serve_while_keycloak_is_away(
    real_provider: RealKeycloak, trusting: Verifying, clock: Clock
) -> None:
    realm = real_provider.realm()
    realm.admin("PUT", "", {"accessTokenLifespan": 86400, "ssoSessionMaxLifespan": 86400})
    verifier, _ = trusting(realm)
    account = realm.account("org_1")
    await verifier.verify(account.token())
    unseen = account.token()
    realm.rotate()
    of_a_new_key = account.token()
    real_provider.stop()
    try:
        clock.seconds = REFRESH_SECONDS + COOLDOWN_SECONDS
        await verifier.verify(unseen)
        await refused(verifier, of_a_new_key, "cannot be checked", 503)
    finally:
        real_provider.start()
    clock.seconds += COOLDOWN_SECONDS
    await verifier.verify(of_a_new_key)
