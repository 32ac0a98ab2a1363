"""Key sets: what signs is kept with the algorithms it is good for, all else is left out."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.identity.tokens.signing_keys import RSA_ALGORITHMS, read_keys
from tests.keycloak import Key, ec_key, rsa_key

GOOD = Key("good")


def test_keys_are_read_as_keycloak_publishes_them() -> None:
    encryption = Key("enc", "RSA-OAEP", published={"use": "enc"})
    elliptic = Key("ec", "ES256", ec_key())
    more = {"x5c": ["MIIC"], "x5t": "x", "x5t#S256": "y"}
    keys = read_keys({"keys": [encryption.jwk, Key("rsa", published=more).jwk, elliptic.jwk]})
    assert {kid: key.algorithms for kid, key in keys.items()} == {
        "rsa": frozenset({"RS256"}),
        "ec": frozenset({"ES256"}),
    }


def test_a_key_that_names_no_algorithm_is_good_for_those_of_its_kind() -> None:
    unnamed = {"alg": None}
    listed = [
        Key("rsa", published=unnamed),
        Key("p-384", private=ec_key(ec.SECP384R1), published=unnamed),
        Key("secp256k1", private=ec_key(ec.SECP256K1), published=unnamed),
    ]
    keys = read_keys({"keys": [key.jwk for key in listed]})
    assert keys["rsa"].algorithms == RSA_ALGORITHMS
    assert keys["p-384"].algorithms == {"ES384"}
    assert "secp256k1" not in keys


@pytest.mark.parametrize(
    "jwk",
    [
        Key("bad", private=rsa_key(0, 1024)).jwk,
        Key("bad", "HS256").jwk,
        Key("bad", "ES256").jwk,
        Key("bad", "ES384", ec_key()).jwk,
        Key("bad", published={"use": "enc"}).jwk,
        Key("bad", published={"kid": None}).jwk,
        Key("bad", published={"kid": "x" * 300}).jwk,
        Key("bad", published={"kty": "oct", "k": "c2VjcmV0"}).jwk,
        Key("bad", published={"kty": "OKP"}).jwk,
        Key("bad", published={"n": "!"}).jwk,
        Key("bad", published={"n": None}).jwk,
        Key("bad", published={"n": 7}).jwk,
        Key("bad", published={"e": "AA"}).jwk,
        Key("bad", published={"alg": ["RS256"]}).jwk,
        Key("bad", "ES256", ec_key(), published={"x": "AAAA"}).jwk,
        Key("bad", "ES256", ec_key(), published={"y": Key("", "ES256", ec_key()).jwk["x"]}).jwk,
        {},
        7,
    ],
)
def test_a_key_that_signs_nothing_for_us_is_left_out(jwk: Any) -> None:
    assert list(read_keys({"keys": [jwk, GOOD.jwk]})) == ["good"]
    with pytest.raises(ValueError):
        read_keys({"keys": [jwk]})


def test_a_private_key_that_was_published_by_mistake_is_read_as_the_public_one_that_it_holds() -> None:
    (key,) = read_keys({"keys": [{**GOOD.jwk, "d": "AQAB", "p": "x"}]}).values()
    assert not hasattr(key.public, "sign")


def test_of_two_keys_with_one_name_the_first_counts() -> None:
    first, second = Key("same"), Key("same", private=rsa_key(1))
    assert read_keys({"keys": [first.jwk, second.jwk]}) == read_keys({"keys": [first.jwk]})
    assert read_keys({"keys": [first.jwk]}) != read_keys({"keys": [second.jwk]})


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": []}, {"keys": [GOOD.jwk] * 101}])
def test_what_is_no_set_of_keys_is_refused(document: Any) -> None:
    with pytest.raises(ValueError):
        read_keys(document)
