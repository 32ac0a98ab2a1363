"""Ends a call at its upstream."""

import asyncio
from typing import Final

import structlog

from proxy.upstream.download import Download, DownloadError
from proxy.upstream.route import Route

_SECONDS: Final = 5.0
_TRIES: Final = 3

_log = structlog.get_logger(__name__)


async def hang_up(route: Route, upstream: str, call: str) -> bool:
    """Whether the upstream took it; also where it says that there is no such call (any more). Within 15 seconds."""
    path = f"/v1/realtime/calls/{call}/hangup"
    for _ in range(_TRIES):
        try:
            async with asyncio.timeout(_SECONDS):
                answer = Download(lambda sink: route.post(path, upstream, sink))
                try:
                    if await answer.begun() < 500:
                        return True
                finally:
                    answer.close()
        except (DownloadError, TimeoutError):
            pass
    _log.error("a call could not be hung up", call=call)
    return False
