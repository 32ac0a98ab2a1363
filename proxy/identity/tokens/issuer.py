"""What an issuer publishes: its discovery document, and the key set that this names (OpenID Connect Discovery 1.0)."""

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from proxy.identity.tokens.signing_keys import SigningKey, read_keys

FETCH_SECONDS: Final = 5.0
"""How long both documents together may take."""
_MOST_BYTES: Final = 256 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity"}


class KeysUnavailable(Exception):
    """The issuer's keys can't be had now; the message says why."""


class Issuer:
    """One issuer, named as in the claim `iss`. The client must follow no redirects, which is httpx' own default."""

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        self.name = name
        self._client = client

    async def keys(self) -> dict[str, SigningKey]:
        """The keys it signs with now, by `kid`. Raises KeysUnavailable.

        They come over https, or from the very origin of an issuer that was configured without it.
        """
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self._read()
        except TimeoutError:
            raise KeysUnavailable("it took too long") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise KeysUnavailable(f"{type(error).__name__}: {error}") from error

    async def _read(self) -> dict[str, SigningKey]:
        discovered = await self._document(self.name + _DISCOVERY)
        if not isinstance(discovered, dict) or discovered.get("issuer") != self.name:
            raise ValueError("the discovery document is of another issuer")
        uri = discovered.get("jwks_uri")
        if not isinstance(uri, str) or not self._trusted(uri):
            raise ValueError("jwks_uri is neither https nor of the issuer's own origin")
        return read_keys(await self._document(uri))

    def _trusted(self, uri: str) -> bool:
        ours, theirs = urlsplit(self.name), urlsplit(uri)
        if theirs.username is not None:
            return False
        return theirs.scheme == "https" or (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)

    async def _document(self, url: str) -> Any:
        async with self._client.stream("GET", url, headers=_HEADERS) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"it answered {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ValueError("it answered in an encoding that was not asked for")
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise ValueError("its answer is too large")
        return orjson.loads(bytes(body))
