"""Ephemeral keys of our own: an upstream's, sealed together with whom it was given to.

A key of the upstream would let its holder go around us, so it never leaves: what does holds it under AES-256-GCM,
where nobody can read or change it. All replicas have the same secret, so each opens what any other has sealed, and
nothing is stored. Revoking who it was given to revokes it.
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import orjson

from proxy.errors import Refusal, invalid_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX: Final = "ek_"
"""As OpenAI's own begin."""
_LONGEST: Final = 4096
_NONCE: Final = 12
_FORM: Final = b"ephemeral key 1"
"""What is authenticated beside the content: another form of these keys opens nothing here."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What an ephemeral key stands for. `secret` is the one of `upstream`; `expires_at` in unix seconds. `model` is the
    one that its sessions are for, which only write down speech where they are `transcribing`."""

    organization_id: str
    key_id: str | None
    member_id: str | None
    project_id: str | None
    upstream: str
    secret: str
    model: str
    transcribing: bool
    expires_at: int


def is_ephemeral(credential: str) -> bool:
    return credential.startswith(PREFIX)


class Seal:
    """Seals and opens passes. `secret` is the installation's."""

    def __init__(self, secret: bytes, now: Callable[[], datetime]) -> None:
        self._secret = secret
        self._now = now
        self._cipher: AESGCM | None = None

    def seal(self, given: Pass) -> str:
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._key().encrypt(nonce, orjson.dumps(asdict(given)), _FORM)
        return PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def open(self, key: str) -> Pass:
        """Raises Refusal 401 for what was not sealed here, and for what has expired."""
        from cryptography.exceptions import InvalidTag

        text = key.removeprefix(PREFIX)
        try:
            if len(key) > _LONGEST:
                raise ValueError("too long")  # noqa: TRY301
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            content = self._key().decrypt(sealed[:_NONCE], sealed[_NONCE:], _FORM)
        except (ValueError, binascii.Error, InvalidTag):
            raise invalid_key("Incorrect API key provided: this ephemeral key is not known.") from None
        given = Pass(**orjson.loads(content))
        if given.expires_at <= self._now().timestamp():
            raise invalid_key("Incorrect API key provided: this ephemeral key has expired.")
        return given

    def _key(self) -> "AESGCM":
        if self._cipher is None:
            # Memory that those pay who use such keys.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF

            derived = HKDF(SHA256(), 32, salt=None, info=b"tollkeeper ephemeral keys").derive(self._secret)
            self._cipher = AESGCM(derived)
        return self._cipher


def not_here() -> Refusal:
    """An ephemeral key where it opens nothing."""
    return invalid_key("Incorrect API key provided: an ephemeral key opens Realtime sessions only.")
