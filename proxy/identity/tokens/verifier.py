"""Access tokens to persons. A token that was verified once costs no signature again until it expires."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import orjson
from jwt import PyJWS, PyJWTError

from proxy.errors import Refusal, invalid_key, unavailable
from proxy.identity.tokens.claims import Person, person_of
from proxy.identity.tokens.issuer import KeysUnavailable
from proxy.identity.tokens.keyring import KeyRing
from proxy.identity.tokens.signing_keys import ALGORITHMS, LONGEST_KID, SigningKey

LONGEST_TOKEN: Final = 16 * 1024
_ENTRIES: Final = 10_000
_TYPES: Final = (None, "jwt", "at+jwt", "application/at+jwt")
_NEVER_BELIEVED: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
"""Headers that bring a key along, say where to fetch one, or change what the signature means."""


@dataclass(frozen=True, slots=True)
class _Verified:
    person: Person
    ring: KeyRing
    key: SigningKey


class Verifier:
    """Takes tokens of these issuers, meant for one of these audiences. `now` gives the time they are judged by."""

    def __init__(
        self, rings: Iterable[KeyRing], audiences: Collection[str], now: Callable[[], datetime]
    ) -> None:
        self._rings = {ring.issuer: ring for ring in rings}
        self._audiences = frozenset(audiences)
        self._now = now
        self._jws = PyJWS(algorithms=sorted(ALGORITHMS))
        # By digest, so that a dump of the process holds no tokens.
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    async def verify(self, token: str) -> Person:
        """Raises Refusal: 401 for a token that does not open, 503 where the issuer's keys can't be had."""
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        cached = self._verified.get(digest)
        if cached is not None:
            if cached.ring.holds(cached.key) and not cached.person.expired(self._now().timestamp()):
                self._verified.move_to_end(digest)
                return cached.person
            # Verified anew, it is refused with the reason; or it is not, if the issuer's keys came back.
            del self._verified[digest]
        verified = await self._verify(token)
        self._verified[digest] = verified
        while len(self._verified) > _ENTRIES:
            self._verified.popitem(last=False)
        return verified.person

    async def _verify(self, token: str) -> _Verified:
        header, claims = self._read(token)
        ring = self._rings.get(_text(claims.get("iss")))
        if ring is None:
            raise invalid_key("The access token's issuer is not accepted here.")
        algorithm, kid = _check_header(header)
        try:
            key = await ring.key(kid)
        except KeysUnavailable:
            raise _uncheckable() from None
        if key is None:
            raise invalid_key("The access token is signed with a key that its issuer does not have.")
        if algorithm not in key.algorithms:
            raise invalid_key("The access token's algorithm is not that of its key.")
        try:
            signed = self._jws.decode_complete(token, key.public, algorithms=[algorithm])
        except (PyJWTError, ValueError, TypeError):
            raise invalid_key("The access token's signature is not valid.") from None
        person = person_of(_claims(signed["payload"]), ring.issuer, self._audiences, self._now().timestamp())
        return _Verified(person, ring, key)

    def _read(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims, not to be believed yet."""
        if len(token) > LONGEST_TOKEN:
            raise invalid_key("The access token is too long.")
        try:
            parts = self._jws.decode_complete(token, options={"verify_signature": False})
        except (PyJWTError, ValueError, TypeError):
            raise _malformed() from None
        header: dict[str, Any] = parts["header"]
        return header, _claims(parts["payload"])


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = orjson.loads(payload)
    except ValueError:
        raise _malformed() from None
    if not isinstance(claims, dict):
        raise _malformed()
    return claims


def _check_header(header: dict[str, Any]) -> tuple[str, str]:
    """Algorithm and kid."""
    if strange := sorted(_NEVER_BELIEVED & header.keys()):
        raise invalid_key(f"The access token has a header '{strange[0]}', which is not accepted.")
    kind = header.get("typ")
    if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
        raise invalid_key("The token is no bearer access token.")
    algorithm, kid = _text(header.get("alg")), _text(header.get("kid"))
    if algorithm not in ALGORITHMS:
        raise invalid_key("The access token's algorithm is not accepted; use RS256, PS256 or ES256.")
    if not 0 < len(kid) <= LONGEST_KID:
        raise invalid_key("The access token does not say which key it is signed with.")
    return algorithm, kid


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _malformed() -> Refusal:
    return invalid_key("The access token is malformed.")


def _uncheckable() -> Refusal:
    return unavailable("The access token cannot be checked right now. Try again.", "token_check_unavailable")
