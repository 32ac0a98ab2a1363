"""Serves one ASGI app from this process until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from runtime import heap
from runtime.exits import stop_on_signal
from runtime.http_protocol import HttpProtocol

# Longer than a load balancer keeps its own side (60 s with most), so that it never sends into a closing one.
KEEP_ALIVE_SECONDS = 75

# libuv takes one new connection from a socket in each turn of the loop. A turn of a busy loop serves all that it has,
# so of 256 clients that came at once some waited 2 s to be let in. As many handles of the one queue let in as many.
ACCEPTING = 16

# Of a WebSocket: bytes of a message, and how its other side is asked whether it is still there. A client that is held
# back can't answer until it is read again.
LARGEST_MESSAGE = 16 * 1024 * 1024
PING_SECONDS = 20.0
PONG_SECONDS = 60.0


class ServeError(RuntimeError):
    """The app could not start; its reason is in the log."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Ours to handle: uvicorn would end the process by the signal again, and never with exit code 0.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        heap.settle()


async def serve(
    app: Any,
    listener: socket.socket,
    *,
    grace_seconds: float,
    date_header: bool,
    websockets: type[asyncio.Protocol] | None = None,
    on_stop: Callable[[], None] | None = None,
) -> None:
    """Serves `app` (ASGI, with lifespan) on a bound socket until SIGTERM or SIGINT.

    Then takes no new connections, lets running requests end for `grace_seconds`, cancels the others, and
    runs the app's shutdown. `date_header` is off for an app that sends its own. Without `websockets` there
    are none. `on_stop` is called when it is told to stop. Raises ServeError if the app's start-up fails.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=HttpProtocol,
            ws="none" if websockets is None else websockets,
            ws_max_size=LARGEST_MESSAGE,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PONG_SECONDS,
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=date_header,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
        )
    )
    with stop_on_signal() as stop:
        stopping = asyncio.create_task(_exit_when(stop, server, on_stop))
        try:
            await server.serve(sockets=[listener, *(listener.dup() for _ in range(ACCEPTING - 1))])
        except SystemExit:
            raise ServeError("the application could not start; see the log") from None
        finally:
            stopping.cancel()
        if not server.started:
            raise ServeError("the application could not start; see the log")


async def _exit_when(stop: asyncio.Event, server: uvicorn.Server, on_stop: Callable[[], None] | None) -> None:
    await stop.wait()
    server.should_exit = True
    if on_stop is not None:
        on_stop()
