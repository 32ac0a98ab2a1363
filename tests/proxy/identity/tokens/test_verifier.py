"""Access tokens: good ones open whatever their algorithm, all others are refused with the reason."""

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from proxy.errors import Refusal
from proxy.identity.tokens import verifier as module
from proxy.identity.tokens.claims import LEEWAY_SECONDS
from proxy.identity.tokens.keyring import COOLDOWN_SECONDS, OLDEST_SECONDS, RETRY_SECONDS
from proxy.identity.tokens.verifier import LONGEST_TOKEN, Verifier
from tests.keycloak import AUDIENCE, Key, Keycloak, Realm, ec_key, forged, rsa_key
from tests.proxy.identity.conftest import Clock, Verifying

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}


async def refusal(verifier: Verifier, token: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await verifier.verify(token)
    return caught.value


async def refused(verifier: Verifier, token: str, says: str) -> None:
    error = await refusal(verifier, token)
    assert (error.status, error.code) == (401, "invalid_api_key")
    assert says in error.message


def dated(changes: dict[str, Any]) -> dict[str, Any]:
    """With times, which stand there in seconds from now, as they are written."""
    return {
        name: value + int(time.time()) if name in ("exp", "nbf", "iat") and type(value) is int else value
        for name, value in changes.items()
    }


def key_for(algorithm: str) -> Key:
    if algorithm in RSA:
        return Key(f"k {algorithm}", algorithm, rsa_key())
    return Key(f"k {algorithm}", algorithm, ec_key(CURVES[algorithm]))


@pytest.mark.parametrize("algorithm", [*RSA, *CURVES])
async def test_a_good_token_opens(provider: Keycloak, verifying: Verifying, algorithm: str) -> None:
    realm = provider.realm(key_for(algorithm))
    person = await verifying(realm).verify(realm.token(organization_id="org_1", organization_role="OWNER"))
    assert (person.issuer, person.subject) == (realm.issuer, realm.claims()["sub"])
    assert (person.email, person.organization_id) == ("camille@atelier.example", "org_1")
    assert person.organization_role == "owner"
    assert not person.is_admin


async def test_a_token_that_was_verified_is_not_verified_again(
    realm: Realm, verifying: Verifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = verifying(realm)
    token = realm.token()
    person = await verifier.verify(token)
    monkeypatch.setattr(verifier._jws, "decode_complete", None)
    assert await verifier.verify(token) is person


async def test_no_more_tokens_are_remembered_than_fit(
    realm: Realm, verifying: Verifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ENTRIES", 2)
    verifier = verifying(realm)
    first, *others = [realm.token() for _ in range(3)]
    await verifier.verify(first)
    await verifier.verify(others[0])
    await verifier.verify(first)
    await verifier.verify(others[1])
    assert len(verifier._verified) == 2
    monkeypatch.setattr(verifier._jws, "decode_complete", None)
    await verifier.verify(first)


async def test_a_remembered_token_ends_when_it_expires(
    realm: Realm, verifying: Verifying, clock: Clock
) -> None:
    verifier = verifying(realm)
    token = realm.token()
    await verifier.verify(token)
    clock.seconds = 300 + LEEWAY_SECONDS - 5
    await verifier.verify(token)
    clock.seconds = 300 + LEEWAY_SECONDS + 5
    await refused(verifier, token, "expired")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"aud": ["account", "elsewhere"], "azp": "elsewhere"}, "audience"),
        ({"aud": None, "azp": None}, "audience"),
        ({"aud": {AUDIENCE: 1}, "azp": {AUDIENCE: 1}}, "audience"),
        ({"exp": -3600}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"exp": True}, "exp"),
        ({"nbf": 3600}, "not valid yet"),
        ({"nbf": "x"}, "nbf"),
        ({"iat": 3600}, "not valid yet"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "a\x00b"}, "sub"),
        ({"sub": "x" * 300}, "sub"),
        ({"typ": "ID"}, "no bearer"),
        ({"typ": "Refresh"}, "no bearer"),
        ({"cnf": {"jkt": "x"}}, "no bearer"),
        ({"iss": None}, "issuer"),
        ({"iss": "https://elsewhere.example/realms/a"}, "issuer"),
        ({"iss": ["a"]}, "issuer"),
    ],
)
async def test_claims_that_do_not_open(
    realm: Realm, verifying: Verifying, changes: dict[str, Any], says: str
) -> None:
    # PyJWT writes no token with an `iss` that is no text.
    changes = dated(changes)
    odd = isinstance(changes.get("iss"), list)
    token = forged({"alg": "RS256", "kid": "x"}, realm.claims(**changes)) if odd else realm.token(**changes)
    await refused(verifying(realm), token, says)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": AUDIENCE, "azp": "elsewhere"},
        {"aud": ["account", AUDIENCE], "azp": None},
        {"aud": None, "azp": "another-client"},
        {"exp": -10},
        {"nbf": 10, "iat": 10},
        {"iat": None, "typ": None, "email": None},
    ],
)
async def test_claims_that_open(realm: Realm, verifying: Verifying, changes: dict[str, Any]) -> None:
    await verifying(realm).verify(realm.token(**dated(changes)))


async def test_an_issuer_must_be_the_same_to_the_letter(realm: Realm, verifying: Verifying) -> None:
    for other in (realm.issuer + "/", realm.issuer.upper(), realm.issuer + "x", realm.issuer[:-1]):
        await refused(verifying(realm), realm.token(iss=other), "issuer")
    assert realm.asked == 0


async def test_of_two_issuers_with_one_kid_neither_key_verifies_the_others_token(
    provider: Keycloak, verifying: Verifying
) -> None:
    ours, theirs = provider.realm(Key("same", private=rsa_key(1))), provider.realm(Key("same"))
    verifier = verifying(ours, theirs)
    assert (await verifier.verify(ours.token())).issuer == ours.issuer
    assert (await verifier.verify(theirs.token())).issuer == theirs.issuer
    await refused(verifier, ours.token(key=theirs.keys[0]), "signature")
    await refused(verifier, theirs.token(key=ours.keys[0]), "signature")


async def test_a_public_key_is_no_secret(provider: Keycloak, verifying: Verifying) -> None:
    """RS256 turned into HS256, with what everybody can read as the secret."""
    for key in (Key("k"), Key("k", published={"alg": None}), Key("k", published={"alg": "HS256"})):
        realm = provider.realm(key)
        for secret in (key.pem, key.pem.strip(), key.jwk["n"].encode()):
            token = forged({"alg": "HS256", "typ": "JWT", "kid": "k"}, realm.claims(), secret)
            await refused(verifying(realm), token, "algorithm")


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", None, 7, ["RS256"], "EdDSA", "ES256K", "rs256"]
)
async def test_other_algorithms_are_refused(realm: Realm, verifying: Verifying, algorithm: Any) -> None:
    header = {"alg": algorithm, "typ": "JWT", "kid": realm.keys[0].kid}
    for secret in (b"", b"secret"):
        await refused(verifying(realm), forged(header, realm.claims(), secret), "algorithm")


async def test_a_key_is_good_for_its_own_algorithm_only(provider: Keycloak, verifying: Verifying) -> None:
    realm = provider.realm(Key("k", "PS256"))
    await refused(verifying(realm), realm.token(algorithm="RS256"), "algorithm")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "crit", "b64"])
async def test_headers_that_bring_a_key_along_are_refused(
    realm: Realm, verifying: Verifying, name: str
) -> None:
    intruder = Key(realm.keys[0].kid, private=rsa_key(1))
    header = {"alg": "RS256", "kid": intruder.kid, name: intruder.jwk if name == "jwk" else ["b64"]}
    says = "malformed" if name == "crit" else name
    await refused(verifying(realm), forged(header, realm.claims(), b"x"), says)
    if name == "jwk":
        await refused(verifying(realm), realm.token(key=intruder, header={"jwk": intruder.jwk}), name)
    assert realm.asked == 0


async def test_other_kinds_of_tokens_are_refused(realm: Realm, verifying: Verifying) -> None:
    for kind in ("logout+jwt", "dpop+jwt", "JWE"):
        await refused(verifying(realm), realm.token(header={"typ": kind}), "no bearer")
    await verifying(realm).verify(realm.token(header={"typ": "at+jwt"}))


def _without_signature(token: str) -> str:
    return token.rpartition(".")[0] + "."


def _of_another_payload(token: str) -> str:
    header, _, signature = token.split(".")
    return ".".join([header, forged({}, {"iss": "x"}).split(".")[1], signature])


MANGLED: list[Callable[[str], str]] = [
    _without_signature,
    _of_another_payload,
    lambda token: token[:-8] + "AAAAAAAA",
    lambda token: token[:-1],
    lambda token: "." + token,
    lambda token: token + "=",
    lambda token: token.replace(".", "..", 1),
    lambda token: token + "." + token,
    lambda token: token.upper(),
    lambda token: "é" + token,
    lambda token: "\udcff.\udcff.\udcff",
    lambda token: "..",
    lambda token: "e30.e30.",
    lambda token: forged({"alg": "RS256", "kid": "x"}, [1]),
    lambda token: forged({"alg": "RS256", "kid": "x"}, None),
    lambda token: "W10." * 2 + "W10",
    lambda token: token + "A" * LONGEST_TOKEN,
]


@pytest.mark.parametrize("mangle", MANGLED)
async def test_a_mangled_token_is_refused(
    realm: Realm, verifying: Verifying, mangle: Callable[[str], str]
) -> None:
    error = await refusal(verifying(realm), mangle(realm.token()))
    assert error.status == 401
    assert len(error.message) < 100


async def test_depth_breaks_nothing(realm: Realm, verifying: Verifying) -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    await refused(verifying(realm), forged({"alg": "RS256", "kid": deep}, realm.claims()), "malformed")
    nested = (b"[" * 6000 + b"]" * 6000).decode()
    for part in ("e30", forged({}, {}).split(".")[0]):
        await refused(verifying(realm), f"{part}.{nested}.{part}", "malformed")
    raw = base64.urlsafe_b64encode(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}").rstrip(b"=").decode()
    await refused(verifying(realm), f"{raw}.e30.", "")
    await refused(verifying(realm), f"e30.{raw[:9000]}.", "malformed")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.text(max_size=40), min_size=3, max_size=3), data=st.data())
def test_garbage_is_refused_and_nothing_else(
    realm: Realm, verifying: Verifying, parts: list[str], data: Any
) -> None:
    good = realm.token().split(".")
    place = data.draw(st.integers(0, 3))
    token = ".".join(
        part if number == place else mangled
        for number, (part, mangled) in enumerate(zip(good, parts, strict=True))
    )
    assert asyncio.run(refusal(verifying(realm), token)).status == 401


async def test_a_token_does_not_say_which_key(realm: Realm, verifying: Verifying) -> None:
    for kid in (None, "", "x" * 300, 7):
        says = "malformed" if kid is None or kid == 7 else "which key"
        await refused(verifying(realm), forged({"alg": "RS256", "kid": kid}, realm.claims()), says)
    await refused(verifying(realm), forged({"alg": "RS256"}, realm.claims()), "which key")
    assert realm.asked == 0


async def test_a_new_key_is_found_by_one_fetch(realm: Realm, verifying: Verifying) -> None:
    verifier = verifying(realm)
    await verifier.verify(realm.token())
    realm.keys.insert(0, Key("rotated", private=rsa_key(1)))
    tokens = [realm.token() for _ in range(100)]
    people = await asyncio.gather(*(verifier.verify(token) for token in tokens))
    assert len(people) == 100
    assert realm.asked == 2


async def test_100_first_tokens_cost_one_fetch(realm: Realm, verifying: Verifying) -> None:
    verifier = verifying(realm)
    await asyncio.gather(*(verifier.verify(realm.token()) for _ in range(100)))
    assert realm.asked == 1


async def test_invented_keys_cost_one_fetch_in_a_while(
    realm: Realm, verifying: Verifying, clock: Clock
) -> None:
    verifier = verifying(realm)
    await verifier.verify(realm.token())
    for number in range(20):
        await refused(verifier, realm.token(header={"kid": f"invented {number}"}), "does not have")
    assert realm.asked == 2
    clock.seconds += COOLDOWN_SECONDS
    await refused(verifier, realm.token(header={"kid": "invented"}), "does not have")
    assert realm.asked == 3


async def test_a_withdrawn_key_opens_nothing_any_more(
    realm: Realm, verifying: Verifying, clock: Clock
) -> None:
    verifier = verifying(realm)
    old = realm.token()
    await verifier.verify(old)
    realm.keys[0] = Key("rotated", private=rsa_key(1))
    await verifier.verify(realm.token())
    await refused(verifier, old, "does not have")


async def test_a_key_that_changed_under_its_name_opens_nothing_any_more(
    realm: Realm, verifying: Verifying
) -> None:
    verifier = verifying(realm)
    old = realm.token()
    await verifier.verify(old)
    realm.keys[:] = [Key(realm.keys[0].kid, private=rsa_key(1)), Key("other", private=rsa_key(2))]
    await verifier.verify(realm.token(key=realm.keys[1]))
    await refused(verifier, old, "signature")


async def test_an_outage_is_survived_on_known_keys_for_a_day(
    realm: Realm, verifying: Verifying, clock: Clock
) -> None:
    verifier = verifying(realm)
    token = realm.token(exp=int(time.time()) + 7 * 86400)
    await verifier.verify(token)
    realm.answers["discovery"] = Response(status_code=503)
    clock.seconds = OLDEST_SECONDS - 1
    await verifier.verify(realm.token(exp=int(time.time()) + 7 * 86400))
    # Whether an unknown key is good can't be known now, so it is not called wrong.
    assert (await refusal(verifier, realm.token(header={"kid": "new"}, exp=9_999_999_999))).status == 503
    clock.seconds += 2
    assert (await refusal(verifier, token)).status == 503
    del realm.answers["discovery"]
    clock.seconds += RETRY_SECONDS
    await verifier.verify(token)


async def test_an_issuer_that_was_away_at_first_is_asked_again_soon(
    realm: Realm, verifying: Verifying, clock: Clock
) -> None:
    verifier = verifying(realm)
    realm.answers["keys"] = Response(status_code=500)
    for _ in range(5):
        error = await refusal(verifier, realm.token())
        assert (error.status, error.code) == (503, "token_check_unavailable")
    assert realm.asked == 1
    del realm.answers["keys"]
    clock.seconds += RETRY_SECONDS
    await verifier.verify(realm.token())
