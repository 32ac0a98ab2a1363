"""A call whose sound goes past us, attended to: joined over its sideband, metered, and ended when it must be."""

import asyncio
from dataclasses import replace
from typing import Any, Final

import structlog

from ledger.ids import new_id
from ledger.upstream_objects import Place
from ledger.usage_record import Outcome
from proxy.endpoints.realtime import session_of, transcribes
from proxy.errors import Refusal
from proxy.house import House
from proxy.realtime.hanging_up import hang_up
from proxy.realtime.seat import ENDPOINT, Seat
from proxy.realtime.turns import Turns
from proxy.ticket import Ticket
from proxy.upstream.route import Ways
from proxy.upstream.upstream import SocketRequest
from proxy.upstream.websocket import Closed, Refused, Socket, Unreachable

_JOIN_SECONDS: Final = 10.0
"""How long a call may go on before it is attended to."""

_log = structlog.get_logger(__name__)


class Attendant:
    """Attends one call. Until the call is over, or hung up, it holds what the next response may cost."""

    def __init__(self, house: House, seat: Seat, call: str, upstream: str) -> None:
        self._house = house
        self._seat = seat
        self._call = call
        self._upstream = upstream
        self._turns = Turns(house, seat, new_id("req"), lambda: None)
        self._turns.books.upstream = upstream

    @classmethod
    def begin(cls, house: House, ticket: Ticket, call: str, upstream: str) -> None:
        """The call is the caller's from now on, and attended to. Waits for nothing."""
        house.register.enter(ticket.principal, {call: Place(ticket.project_id, upstream)})
        asked = replace(ticket.asked, endpoint=ENDPOINT, body=b"", request={}, stream=True, form=None)
        seat = Seat(
            ticket.principal,
            ticket.project_id,
            asked,
            ticket.ways,
            house.prices,
            transcribes(session_of(ticket.asked.request)),
        )
        attendant = cls(house, seat, call, upstream)
        house.attendants.add(asyncio.get_running_loop().create_task(attendant.run()))

    async def run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        if not await self._house.attendants.lease(task, self._upstream, self._call):
            return
        outcome: Outcome = "stopped"
        try:
            outcome = await self._attend()
        except Refusal as refusal:
            self._house.measures.refused(refusal.status, refusal.code)
        except (Refused, Unreachable, TimeoutError) as error:
            _log.warning("a call can't be attended to and is hung up", reason=str(error)[:100])
        except Exception:  # noqa: BLE001 - a defect of ours ends the call, and all is settled
            _log.exception("a call could not be attended to and is hung up")
        finally:
            self._turns.end(outcome, noted=False)
        # Also where the call seems to be over: nobody would see what it used.
        await hang_up(self._house.route, self._upstream, self._call)

    async def _attend(self) -> Outcome:
        """Returns when the call is over, or must be."""
        async with asyncio.timeout(_JOIN_SECONDS):
            await self._turns.open()
            socket = await self._join()
        receiving = asyncio.ensure_future(self._listen(socket))
        stopping = asyncio.ensure_future(self._house.attendants.stopping.wait())
        tasks: list[asyncio.Future[Any]] = [receiving, stopping]
        try:
            await asyncio.wait((receiving, self._turns.over, stopping), return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() and not (receiving.done() or self._turns.over.done()):
                self._turns.stop()
                tasks.append(quiet := asyncio.ensure_future(self._turns.quiet()))
                await asyncio.wait(
                    (receiving, self._turns.over, quiet),
                    timeout=self._house.last_turn_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if receiving.done():
                return receiving.result()
            return self._turns.over.result().outcome if self._turns.over.done() else "stopped"
        finally:
            for task in tasks:
                task.cancel()
            socket.abort()

    async def _join(self) -> Socket:
        request = SocketRequest(b"/realtime", b"call_id=" + self._call.encode("ascii"), [], [], "")
        ways: Ways = tuple(way for way in self._seat.ways if way.upstream.name == self._upstream)
        socket, _ = await self._house.route.open_socket(request, ways)
        return socket

    async def _listen(self, socket: Socket) -> Outcome:
        while True:
            try:
                message = await socket.receive()
            except Closed as closed:
                return "completed" if closed.code in (1000, 1001, 1005) else "upstream_cut"
            self._turns.saw(message.encode() if isinstance(message, str) else message)
