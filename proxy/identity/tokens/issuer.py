"""What an issuer publishes: its discovery document, and the key set that this names (OpenID Connect Discovery 1.0)."""

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

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
    """One issuer, named as in the claim `iss`. The client must follow no redirects, which is httpx' own default.

    `internal_url` is another scheme and host (and path before it) under which the issuer's paths are found: behind
    a proxy, the name that it gives itself is often not the one that it is reached by from here.
    """

    def __init__(self, name: str, client: httpx.AsyncClient, internal_url: str | None = None) -> None:
        self.name = name
        self._client = client
        self._internal_url = internal_url
        self._origins = {_origin(name)} | ({_origin(internal_url)} if internal_url else set())

    async def keys(self) -> dict[str, SigningKey]:
        """The keys it signs with now, by `kid`. Raises KeysUnavailable.

        They come over https, or from the very origin that was configured without it.
        """
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self._read()
        except TimeoutError:
            raise KeysUnavailable("it took too long") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise KeysUnavailable(f"{type(error).__name__}: {error}") from error

    async def _read(self) -> dict[str, SigningKey]:
        discovered = await self._document(self._from_here(self.name + _DISCOVERY))
        named = discovered.get("issuer") if isinstance(discovered, dict) else None
        if named != self.name:
            raise ValueError(f"the discovery document is of another issuer: {str(named)[:100]!r}")
        uri = discovered.get("jwks_uri")
        if not isinstance(uri, str) or not self._trusted(uri):
            raise ValueError("jwks_uri is neither https nor of the issuer's own origin")
        return read_keys(await self._document(self._from_here(uri)))

    def _trusted(self, uri: str) -> bool:
        parts = urlsplit(uri)
        return parts.username is None and (parts.scheme == "https" or _origin(uri) in self._origins)

    def _from_here(self, url: str) -> str:
        if self._internal_url is None or _origin(url) != _origin(self.name):
            return url
        parts = urlsplit(url)
        return self._internal_url + urlunsplit(("", "", parts.path, parts.query, ""))

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


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
