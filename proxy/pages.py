"""What a proxy says of itself: that it lives, whether it can serve, and its figures."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from proxy.errors import Refusal
from proxy.house import House
from proxy.relay.asgi import Send, send_error

_PATHS: Final = ("/healthz", "/readyz", "/metrics")


class Pages:
    """`reachable`: whether Redis can be asked now."""

    def __init__(self, house: House, reachable: Callable[[], bool]) -> None:
        self._house = house
        self._reachable = reachable
        self._was_ready = False

    async def show(self, method: str, path: str, send: Send) -> None:
        if path in _PATHS and method not in ("GET", "HEAD"):
            message = f"Not allowed to {method[:20]} on {path} (HINT: use GET)"
            allow = ((b"allow", b"GET, HEAD"),)
            await send_error(send, Refusal(405, message, code="method_not_supported", headers=allow), [])
        elif path == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif path == "/readyz":
            reasons = self._reasons()
            self._was_ready = ready = self._was_ready or not reasons
            await _answer(send, 200 if ready else 503, {"ready": ready, "reasons": reasons})
        elif path == "/metrics":
            await _send(send, 200, b"text/plain; version=0.0.4; charset=utf-8", self._house.measures.page())
        else:
            message = "There is nothing here. The API is under /v1."
            await send_error(send, Refusal(404, message, code="unknown_url"), [])

    def _reasons(self) -> list[str]:
        """What this process lacks. Once it was ready it stays so: what is lacking then is lacking to all proxies alike,
        so that without any of them nobody would be left to answer, and some plans go on without Redis."""
        reasons = []
        if not self._reachable():
            reasons.append("redis is not reachable: limits can't be checked")
        if self._house.settler.full:
            reasons.append("too much waits for redis: nothing more is admitted")
        if not self._house.prices.known:
            reasons.append("prices have not been read from postgres yet")
        return reasons


async def starting(send: Send) -> None:
    await _answer(send, 503, {"ready": False, "reasons": ["starting"]})


async def _answer(send: Send, status: int, content: dict[str, Any]) -> None:
    await _send(send, status, b"application/json", orjson.dumps(content))


async def _send(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
