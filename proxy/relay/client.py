"""The client as whoever serves it knows it, beside ASGI: asking what is known already costs no task and no wait."""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from proxy.relay.asgi import Scope

CLIENT: Final = "tollkeeper.client"
"""Where the ASGI scope of a request holds its Client; the server puts it there."""


class Client(Protocol):
    def whole_body(self) -> bytes | None:
        """The body, if all of it has come: it is not to be received then. None where there is something to wait for."""

    def gone(self) -> "asyncio.Future[None]":
        """Done once the client has left. For whoever has taken the body, once; may be cancelled."""

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """A whole answer at once, where the client has taken what was sent before; else False, and nothing is sent."""

    def write(self, data: bytes) -> bool:
        """More of a body whose head was sent, at once; False where it must be sent by ASGI."""

    def adds(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Whatever answers, these go with it."""


def client_of(scope: Scope) -> Client:
    client: Client = scope[CLIENT]
    return client
