"""API keys: made once, shown once, kept only as a keyed hash."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

PREFIX = "sk-tk-"
_SHOWN = len(PREFIX) + 6


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `secret` is the only copy of it there will ever be."""

    secret: str
    prefix: str
    digest: bytes


class KeyHasher:
    """Hashes API keys with a secret that never enters the database, so a stolen table opens nothing."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the key secret needs at least 16 bytes")
        self._secret = secret

    def digest(self, key: str) -> bytes:
        """32 bytes: HMAC-SHA256 of the key."""
        return hmac.digest(self._secret, key.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def make(self) -> NewKey:
        """A fresh key: `sk-tk-` and 256 random bits."""
        secret = PREFIX + secrets.token_urlsafe(32)
        return NewKey(secret, secret[:_SHOWN], self.digest(secret))
