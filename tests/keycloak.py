"""An identity provider with Keycloak's paths and claims, on a socket of its own, with real keys."""

import base64
import hmac
import itertools
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
import orjson
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.issuing import APP

AUDIENCE = "tollkeeper"

_numbers = itertools.count(1)


@cache
def rsa_key(which: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same one for the same `which`."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@dataclass(frozen=True)
class Key:
    """A key pair of a realm. `published` overrides members of its JWK; None leaves one out."""

    kid: str
    algorithm: str = "RS256"
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(default_factory=rsa_key)
    published: Mapping[str, Any] = field(default_factory=dict)

    @property
    def jwk(self) -> dict[str, Any]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = RSAAlgorithm.to_jwk(public, as_dict=True)
        else:
            numbers = ECAlgorithm.to_jwk(public, as_dict=True)
        numbers.pop("key_ops", None)
        jwk = {"kid": self.kid, "alg": self.algorithm, "use": "sig", **numbers, **self.published}
        return {name: value for name, value in jwk.items() if value is not None}

    @property
    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Realm:
    """One issuer. `answers` replaces what a path (`discovery` or `keys`) answers; `discovery` overrides members."""

    issuer: str
    keys: list[Key]
    discovery: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Response] = field(default_factory=dict)
    asked: int = 0
    """How often its key set was read."""

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What Keycloak writes into an access token of a user; a value of None leaves a claim out."""
        now = int(time.time())
        claims = {
            "exp": now + 300,
            "iat": now,
            "jti": f"onrtro:{next(_numbers)}",
            "iss": self.issuer,
            "aud": "account",
            "sub": "5f0c7a5e-1d3b-4f77-9d3e-0a6f4d5b7c11",
            "typ": "Bearer",
            "azp": AUDIENCE,
            "sid": "0c1d8a9e-7b1f-4d0b-8f5e-3f3c6a0e9b2d",
            "acr": "1",
            "realm_access": {"roles": ["offline_access", "uma_authorization"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "openid email profile",
            "email_verified": True,
            "preferred_username": "camille",
            "email": "camille@atelier.example",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def account(
        self,
        organization_id: str | None = None,
        *,
        role: str | None = None,
        admin: bool = False,
        client: str = APP,
    ) -> "Account":
        """Somebody new, in the way of tests.issuing.IssuingRealm."""
        number = next(_numbers)
        return Account(
            self,
            {
                "sub": f"{number:08}-1d3b-4f77-9d3e-0a6f4d5b7c11",
                "email": f"person-{number}@atelier.example",
                "aud": [AUDIENCE, "account"] if client == APP else "account",
                "azp": client,
                "organization_id": organization_id,
                "organization_role": role,
                "realm_access": {"roles": ["offline_access", "USER", *(["ADMIN"] if admin else [])]},
            },
        )

    def rotate(self) -> None:
        number = next(_numbers)
        self.keys.insert(0, Key(f"key {number}", private=rsa_key(number)))

    def token(
        self,
        *,
        key: Key | None = None,
        algorithm: str | None = None,
        header: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """An access token, signed by the realm's first key unless told otherwise."""
        key = key or self.keys[0]
        return jwt.encode(
            self.claims(**changes),
            key.private,
            algorithm or key.algorithm,
            {"kid": key.kid, **(header or {})},
        )


@dataclass(frozen=True)
class Account:
    """A user of a realm; every token says the same of it."""

    realm: Realm
    claims: Mapping[str, Any]

    @property
    def subject(self) -> str:
        return str(self.claims["sub"])

    @property
    def email(self) -> str:
        return str(self.claims["email"])

    def token(self) -> str:
        return self.realm.token(**self.claims)


def forged(header: Mapping[str, Any], claims: Any, secret: bytes = b"") -> str:
    """A token of any header at all: signed by HMAC-SHA256 with `secret`, or with nothing."""
    signed = b".".join(_part(orjson.dumps(part)) for part in (header, claims))
    signature = hmac.digest(secret, signed, "sha256") if secret else b""
    return (signed + b"." + _part(signature)).decode()


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Keycloak:
    """Serves its realms while it runs; it can be stopped and started again on the same port."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._realms: dict[str, Realm] = {}
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def realm(self, *keys: Key) -> Realm:
        """A new realm with these keys, or one RSA key."""
        name = f"realm-{next(_numbers)}"
        made = Realm(f"{self.url}/realms/{name}", list(keys) or [Key(f"key of {name}")])
        self._realms[name] = made
        return made

    def start(self) -> None:
        if self._server is not None:
            return
        routes = [
            Route("/realms/{realm}/.well-known/openid-configuration", self._discovery),
            Route("/realms/{realm}/protocol/openid-connect/certs", self._keys),
        ]
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes),
                host="127.0.0.1",
                port=self._port,
                log_config=None,
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        ends = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < ends
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(10)
            assert not self._thread.is_alive()
        self._server = self._thread = None

    async def _discovery(self, request: Request) -> Response:
        realm = self._realms[request.path_params["realm"]]
        certificates = f"{realm.issuer}/protocol/openid-connect/certs"
        document = {"issuer": realm.issuer, "jwks_uri": certificates, **realm.discovery}
        return realm.answers.get("discovery") or _json(document)

    async def _keys(self, request: Request) -> Response:
        realm = self._realms[request.path_params["realm"]]
        realm.asked += 1
        return realm.answers.get("keys") or _json({"keys": [key.jwk for key in realm.keys]})


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


@contextmanager
def keycloak() -> Iterator[Keycloak]:
    """One that runs."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    made = Keycloak(port)
    made.start()
    try:
        yield made
    finally:
        made.stop()
