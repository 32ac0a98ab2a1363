"""Objects and files that we ask an upstream for ourselves, before a call that depends on them."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson

from proxy.errors import Refusal
from proxy.ownership.register import nothing_with
from proxy.upstream.download import Download, DownloadError
from proxy.upstream.route import Route, refusal_for

_OBJECT_SECONDS: Final = 15.0
_FILE_SECONDS: Final = 180.0
_LARGEST_OBJECT: Final = 4 * 1024 * 1024
LARGEST_FILE: Final = 200 * 1024 * 1024
"""Bytes; OpenAI takes no larger one for a batch."""


async def object_at(route: Route, path: str, keeper: str) -> Mapping[str, Any]:
    """A decoded object; `path` from `/v1` on, `keeper` the upstream where it lies. Raises Refusal: 404 where there is
    none, 502 or 504 where the upstream can't be asked."""
    download = Download(partial(route.get, path, keeper))
    try:
        async with asyncio.timeout(_OBJECT_SECONDS):
            if await download.begun() != 200:
                raise nothing_with(path.rpartition("/")[2])
            told = orjson.loads(await download.whole(_LARGEST_OBJECT))
    except DownloadError as error:
        raise refusal_for(error.failure) from None
    except (TimeoutError, ValueError):
        raise _too_late() from None
    finally:
        download.close()
    return told if isinstance(told, dict) else {}


async def read_file(route: Route, file_id: str, keeper: str, feed: Callable[[bytes], None]) -> None:
    """Gives a file to `feed`, piece by piece, each in a thread: what is done with it may take its time. Raises Refusal
    as `object_at`, 400 for a file that is too large, and what `feed` raises."""
    download = Download(partial(route.get, f"/v1/files/{file_id}/content", keeper))
    size = 0
    try:
        async with asyncio.timeout(_FILE_SECONDS):
            if await download.begun() != 200:
                raise nothing_with(file_id)
            async for piece in download.pieces():
                size += len(piece)
                if size > LARGEST_FILE:
                    raise Refusal(400, f"The file {file_id} has more than {LARGEST_FILE} bytes.")
                await asyncio.to_thread(feed, piece)
    except DownloadError as error:
        raise refusal_for(error.failure) from None
    except TimeoutError:
        raise _too_late() from None
    finally:
        download.close()


def _too_late() -> Refusal:
    return Refusal(504, "The upstream did not answer in time.", type="server_error", code="upstream_timeout")
