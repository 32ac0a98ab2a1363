"""Reading a document of somebody else's, within bounds of time and size."""

import asyncio
from typing import Final

import httpx

from config.outbound_client import open_client
from config.settings import Outbound

SECONDS: Final = 60.0
_EACH_SECONDS: Final = 15.0


class FetchError(Exception):
    """The document could not be had; the message names its server and why."""


async def fetch(url: str, outbound: Outbound, most: int) -> bytes:
    """At most `most` bytes, on the way out that the settings name. Follows no redirects. Raises FetchError."""
    server = httpx.URL(url).host
    try:
        async with (
            asyncio.timeout(SECONDS),
            open_client(outbound, _EACH_SECONDS) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise FetchError(f"{server} answered {answer.status_code}")
            data = bytearray()
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > most:
                    raise FetchError(f"{server} sent more than {most} bytes")
            return bytes(data)
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        raise FetchError(f"{server} gave no answer: {type(error).__name__}") from error
