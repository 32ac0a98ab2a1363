"""A session under way: messages both ways as they came, until one side, a limit or the server ends it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.usage_record import Outcome
from proxy.errors import Refusal
from proxy.realtime.events import error_event, wish_of
from proxy.realtime.turns import Over, Turns
from proxy.relay.websocket import ClientSocket
from proxy.upstream.websocket import Closed, Socket

REFUSED: Final = 1008
"""The closing code where a limit ends a session: policy violation. The reason is the code of the error before it."""
TRY_AGAIN: Final = 1013
"""Where the limits can't be checked at present."""
GOING_AWAY: Final = 1001
_DEFECT: Final = 1011
_UNAVAILABLE: Final = 503
_LAST_SECONDS: Final = 1.0
"""How long telling and closing may take: a client that takes nothing must not hold anything up."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class End:
    """`code` and `reason` are for whoever has not closed by itself. `refusal` is told before."""

    outcome: Outcome
    code: int
    reason: str = ""
    refusal: Refusal | None = None


class Session:
    """`stopping` is set when the server stops; a response under way may then go on for `grace` seconds."""

    def __init__(
        self, client: ClientSocket, upstream: Socket, turns: Turns, stopping: asyncio.Event, grace: float
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._turns = turns
        self._stopping = stopping
        self._grace = grace
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Returns when both sides are closed, and all is settled."""
        try:
            end = await self._relay()
        except Exception:  # noqa: BLE001 - a defect of ours ends the session, and all is settled
            _log.exception("a session failed")
            end = End("stopped", _DEFECT)
        except BaseException:
            self._turns.end("stopped")
            self._upstream.abort()
            raise
        self._turns.end(end.outcome)
        try:
            await self._close(end)
        finally:
            self._upstream.abort()

    async def _relay(self) -> End:
        sending = asyncio.ensure_future(self._to_upstream())
        receiving = asyncio.ensure_future(self._to_client())
        stopping = asyncio.ensure_future(self._stopping.wait())
        tasks: tuple[asyncio.Future[End] | asyncio.Task[bool] | asyncio.Future[Over], ...]
        tasks = (receiving, sending, self._turns.over, stopping)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() and not (receiving.done() or sending.done() or self._turns.over.done()):
                sending.cancel()
                return await self._last_turn(receiving)
            for side in (receiving, sending):
                if side.done():
                    return side.result()
            return _end(self._turns.over.result())
        finally:
            for task in (sending, receiving, stopping):
                task.cancel()
            await asyncio.wait((sending, receiving, stopping), timeout=1)

    async def _last_turn(self, receiving: "asyncio.Task[End]") -> End:
        """The server stops: what is under way may come to its end, within a bound."""
        self._turns.stop()
        if self._turns.busy:
            self._idle.clear()
            idle = asyncio.ensure_future(self._idle.wait())
            await asyncio.wait(
                (receiving, idle, self._turns.over),
                timeout=self._grace,
                return_when=asyncio.FIRST_COMPLETED,
            )
            idle.cancel()
        return receiving.result() if receiving.done() else End("stopped", GOING_AWAY)

    async def _to_client(self) -> End:
        while True:
            try:
                message = await self._upstream.receive()
            except Closed as closed:
                clean = closed.code in (1000, 1001, 1005)
                return End("completed" if clean else "upstream_cut", closed.passes_on, closed.reason)
            self._turns.saw(message.encode() if isinstance(message, str) else message)
            try:
                await self._client.send(message)
            except Closed:
                return End("client_gone", GOING_AWAY)
            if not self._turns.busy:
                self._idle.set()

    async def _to_upstream(self) -> End:
        while True:
            try:
                message = await self._client.receive()
            except Closed as closed:
                return End("client_gone", closed.passes_on, closed.reason)
            raw = message.encode() if isinstance(message, str) else message
            wish = wish_of(raw)
            try:
                await self._turns.may_send(wish)
            except Refusal as refusal:
                if not await self._tell(error_event(refusal, wish.id)):
                    return End("client_gone", GOING_AWAY)
                continue
            self._turns.books.passed.sent += len(raw)
            try:
                await self._upstream.send(message)
            except Closed:
                # What the upstream said before it closed still waits to be received; that ends the session.
                await asyncio.Event().wait()

    async def _tell(self, event: str) -> bool:
        try:
            await self._client.send(event)
        except Closed:
            return False
        return True

    async def _take_leave(self, end: End) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                if end.refusal is not None:
                    await self._tell(error_event(end.refusal))
                await self._client.close(end.code, end.reason)

    async def _close(self, end: End) -> None:
        await asyncio.gather(
            self._take_leave(end),
            self._upstream.close(
                end.code if end.refusal is None else 1000, "" if end.refusal else end.reason
            ),
        )


def _end(over: Over) -> End:
    if over.refusal is not None:
        code = TRY_AGAIN if over.refusal.status == _UNAVAILABLE else REFUSED
        return End(over.outcome, code, over.refusal.code or over.refusal.type, over.refusal)
    return End(over.outcome, GOING_AWAY)
