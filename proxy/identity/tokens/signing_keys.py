"""Public keys as an issuer publishes them (JSON Web Key Set, RFC 7517), fit for signatures."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWTError
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey

RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
EC_ALGORITHMS: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS: Final = RSA_ALGORITHMS | frozenset(EC_ALGORITHMS.values())
"""Asymmetric ones only. A key is good for those of its own kind, so that none is taken for another's."""

_LEAST_RSA_BITS: Final = 2048
_MOST_RSA_BITS: Final = 8192
_MOST_KEYS: Final = 100
LONGEST_KID: Final = 255


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Two are equal if they are the same key under the same name and for the same algorithms."""

    kid: str
    algorithms: frozenset[str]
    der: bytes
    public: PublicKey = field(compare=False, repr=False)


def read_keys(document: Any) -> dict[str, SigningKey]:
    """By `kid`. Keys that sign nothing we accept are left out; the first of one name counts.

    Raises ValueError where there is no set of keys, or no usable key in it.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError("the key set is none, or too large")
    keys: dict[str, SigningKey] = {}
    for jwk in listed:
        key = _signing_key(jwk) if isinstance(jwk, dict) else None
        if key is not None:
            keys.setdefault(key.kid, key)
    if not keys:
        raise ValueError("the key set holds no key that signs")
    return keys


def _signing_key(jwk: dict[str, Any]) -> SigningKey | None:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID or jwk.get("use", "sig") != "sig":
        return None
    try:
        public = _public_key(jwk)
    except (PyJWTError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if public is None:
        return None
    algorithms = _algorithms(public)
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    if not algorithms:
        return None
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(kid, algorithms, der, public)


def _public_key(jwk: dict[str, Any]) -> PublicKey | None:
    # Only the public members are looked at: whoever published a private key signs nothing here with it.
    match jwk.get("kty"):
        case "RSA":
            key: object = RSAAlgorithm.from_jwk({name: jwk.get(name) for name in ("kty", "n", "e")})
        case "EC":
            key = ECAlgorithm.from_jwk({name: jwk.get(name) for name in ("kty", "crv", "x", "y")})
        case _:
            return None
    return key if isinstance(key, RSAPublicKey | EllipticCurvePublicKey) else None


def _algorithms(key: PublicKey) -> frozenset[str]:
    if isinstance(key, RSAPublicKey):
        return RSA_ALGORITHMS if _LEAST_RSA_BITS <= key.key_size <= _MOST_RSA_BITS else frozenset()
    name = EC_ALGORITHMS.get(key.curve.name)
    return frozenset() if name is None else frozenset({name})
