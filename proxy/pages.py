"""What stands beside the API: whether the process lives, whether it can serve, and its measures."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from proxy.errors import Refusal
from proxy.relay.asgi import Send, send_error

_PAGES: Final = ("/healthz", "/readyz", "/metrics")


async def show(
    method: str, path: str, reasons: Callable[[], list[str]], metrics: Callable[[], bytes] | None, send: Send
) -> None:
    """`reasons`: why the process can't serve; `metrics`: None before there are any."""
    if path in _PAGES and method not in ("GET", "HEAD"):
        message = f"Not allowed to {method[:20]} on {path} (HINT: use GET)"
        allow = ((b"allow", b"GET, HEAD"),)
        await send_error(send, Refusal(405, message, code="method_not_supported", headers=allow), [])
    elif path == "/healthz":
        await _answer(send, 200, {"status": "ok"})
    elif path == "/readyz":
        found = reasons()
        await _answer(send, 503 if found else 200, {"ready": not found, "reasons": found})
    elif path == "/metrics" and metrics is not None:
        await _send(send, 200, b"text/plain; version=0.0.4; charset=utf-8", metrics())
    else:
        message = "There is nothing here. The API is under /v1."
        await send_error(send, Refusal(404, message, code="unknown_url"), [])


async def _answer(send: Send, status: int, content: dict[str, Any]) -> None:
    await _send(send, status, b"application/json", orjson.dumps(content))


async def _send(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
