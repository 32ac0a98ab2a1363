"""An admitted request: forwarded, relayed, settled."""

import asyncio
from time import monotonic
from typing import Final

from proxy.errors import Refusal, unavailable
from proxy.house import House
from proxy.identity.principal import Principal
from proxy.life import Action, Actions, Life, State
from proxy.meter.answer import begins_stream
from proxy.meter.chunk_filter import ChunkFilter
from proxy.quota.admission import Admitted
from proxy.reckoning import Reckoning
from proxy.relay.asgi import Message, Scope, Send, closing, send_error
from proxy.relay.client import client_of
from proxy.relay.head import answer_headers, content_encoding, is_event_stream, our_headers
from proxy.relay.inflow import Inflow
from proxy.relay.outbox import Outbox
from proxy.sending import Exchange, Sending
from proxy.ticket import Ticket
from proxy.upstream.failure import UpstreamFailure
from proxy.upstream.forwarding import Forwarding
from proxy.upstream.request import Header
from proxy.upstream.route import refusal_for

_BODILESS: Final = (204, 304)
"""Of these a length says nothing about what follows."""


class Call:
    """Drives one life, and is the sink of its upstream exchange.

    Upstream callbacks and the watch on the client act at once; handing bytes to the client is `run`'s.
    """

    def __init__(
        self,
        house: House,
        life: Life,
        ticket: Ticket,
        admitted: Admitted,
        scope: Scope,
        gone: asyncio.Future[None],
        send: Send,
        inflow: Inflow | None = None,
    ) -> None:
        """`gone` is done once the client has left (relay.client); it is cancelled at the end. `inflow` is the
        body where it passes as it comes."""
        self.ticket = ticket
        self._handing_over_since: float | None = None
        self._house = house
        self._life = life
        self.admitted = admitted
        self._scope = scope
        self._gone = gone
        self._send = send
        self._inflow = inflow
        self._outbox = Outbox(asyncio.get_running_loop())
        self._exchange: Exchange | None = None
        self._filter: ChunkFilter | None = None
        self._reckoning = Reckoning(house, ticket, admitted)
        self._kind_known = False
        self._encoding = b""
        self._asked_for_usage = False
        self._head: list[Header] | None = None
        self._error: Refusal | None = None
        self._ended = False
        self._cut = False
        self._paused = False
        self._idle = False
        self._begun = False
        self._handed = False
        self._client = client_of(scope)

    @property
    def delivered_tokens(self) -> int:
        """What has passed so far, for renewals: a stream brings about one token an event."""
        return self._reckoning.events

    @property
    def stalled_since(self) -> float | None:
        """Since when the client has taken none of what is being handed to it; monotonic seconds."""
        return self._handing_over_since

    @property
    def request_id(self) -> str:
        return self.ticket.request_id

    @property
    def principal(self) -> Principal:
        return self.ticket.principal

    async def run(self) -> None:
        """From the hold to the last byte. Returns when the client has its answer, or is gone."""
        self._house.running.add(self)
        try:
            if self._gone.done():
                self.client_left()
            self._act(self._life.admitted())
            self._gone.add_done_callback(lambda _: self.client_left())
            await self._hand_over()
        except OSError:
            self._act(self._life.client_left())
        except BaseException:
            self._act(self._life.stopping())
            raise
        finally:
            self._house.running.remove(self)
            self._gone.cancel()
            if isinstance(self._exchange, Forwarding):
                self._exchange.let_go()
            self._exchange = None

    # -- What happens to the call

    def client_left(self) -> None:
        self._act(self._life.client_left())

    def hold_lost(self) -> None:
        self._act(self._life.hold_lost())

    def on_response(self, status: int, reason: bytes, headers: list[Header]) -> None:
        self._encoding = content_encoding(headers)
        assert self._exchange is not None
        self._reckoning.begins(status, self._encoding, self._exchange.upstream or "")
        if is_event_stream(headers):
            self._is_stream()
        may_shrink = self._asked_for_usage and (self._filter is not None or status < 400)
        self._head = answer_headers(headers, keep_length=not may_shrink and status not in _BODILESS)
        self._act(self._life.head_arrived())

    def on_body(self, data: bytes) -> None:
        if not self._kind_known:
            self._kind_known = True
            asked_for = self.ticket.asked.stream and self._reckoning.status < 400
            if asked_for and not self._encoding and begins_stream(data):
                self._is_stream()
        self._reckoning.saw(data)
        if self._filter is not None:
            data = self._filter.feed(data)
        self._put(data)

    def on_end(self) -> None:
        try:
            self._flush()
            self._reckoning.ends()
            if not self._reckoning.brings_objects:
                self._answer_whole()
        finally:
            self._act(self._life.answer_ended())

    def on_failure(self, error: UpstreamFailure) -> None:
        self._reckoning.failure = error
        try:
            self._flush()
        finally:
            self._act(self._life.upstream_failed())

    def _is_stream(self) -> None:
        self._kind_known = True
        self._reckoning.is_stream()
        if self._asked_for_usage and not self._encoding:
            self._filter = ChunkFilter()

    # -- What follows from it

    def _act(self, actions: Actions) -> None:
        for action in actions:
            match action:
                case Action.FORWARD:
                    self._forward()
                case Action.CLOSE_UPSTREAM:
                    if self._exchange is not None:
                        self._exchange.close()
                case Action.SETTLE:
                    self._settle()
                case Action.END_CLIENT:
                    self._ended = True
                case Action.ANSWER_ERROR:
                    self._error = self._refusal()
                case Action.CUT_CLIENT:
                    self._cut = True
                case Action.RELAY_HEAD | Action.RELEASE:
                    pass
        self._outbox.wake()

    def _forward(self) -> None:
        sending = Sending(self._house, self.ticket, self._scope, self._inflow)
        self._exchange, self._asked_for_usage = sending.begin(self.admitted.output, self)

    def _settle(self) -> None:
        assert self._life.outcome is not None
        if self._inflow is not None:
            self._reckoning.request_bytes = self._inflow.passed
            self._inflow.rest()
        self._reckoning.settle(
            self._life.outcome,
            forwarded=self._exchange is not None and self._exchange.may_cost,
            upstream=None if self._exchange is None else self._exchange.upstream,
            error_status=0 if self._reckoning.failure is None else self._refusal().status,
        )

    # -- Bytes back

    def _put(self, data: bytes) -> None:
        if not data:
            return
        self._reckoning.response_bytes += len(data)
        if self._idle and not self._outbox.size and self._client.write(data):
            return
        if self._outbox.put(data) and not self._paused and self._exchange is not None:
            self._paused = True
            self._exchange.pause()

    def _answer_whole(self) -> None:
        """An answer that has come before any of it was handed over goes at once: before it is settled, and without a
        turn of this call's task. What it brings must be the caller's first, so such an answer waits for that."""
        if self._head is None or self._begun or self._life.state is not State.RELAYING:
            return
        if self._client.answer(self._reckoning.status, self._headers(self._head), self._outbox.peek()):
            self._begun = self._handed = True

    def _flush(self) -> None:
        if self._filter is not None:
            self._put(self._filter.flush())

    async def _hand_over(self) -> None:
        while True:
            if self._life.outcome == "client_gone" or self._handed:
                return
            if self._error is not None and not self._begun:
                ours = our_headers(self.ticket, self.admitted)
                await send_error(self._hand, self._error, [*ours, *closing(self._scope["headers"])])
                return
            data, ended, cut = self._outbox.take(), self._ended, self._cut
            if self._head is not None and not self._begun:
                self._begun = True
                await self._start(self._headers(self._head))
            if data or ended:
                await self._pass_on(data, ended)
            if ended or cut:
                return
            if not data:
                # Pieces of a stream go without a turn of this task, as long as the client takes them.
                self._idle = self._begun
                await self._outbox.changed()
                self._idle = False

    def _headers(self, head: list[Header]) -> list[Header]:
        return [*head, *our_headers(self.ticket, self.admitted)]

    async def _start(self, headers: list[Header]) -> None:
        await self._hand(
            {"type": "http.response.start", "status": self._reckoning.status, "headers": headers}
        )

    async def _pass_on(self, data: bytes, last: bool) -> None:
        await self._hand({"type": "http.response.body", "body": data, "more_body": not last})
        if self._paused and self._exchange is not None and not last:
            self._paused = False
            self._exchange.resume()

    async def _hand(self, message: Message) -> None:
        self._handing_over_since = monotonic()
        await self._send(message)
        self._handing_over_since = None

    # -- Words

    def _refusal(self) -> Refusal:
        if self._inflow is not None and self._inflow.refusal is not None:
            return self._inflow.refusal
        if self._reckoning.failure is not None:
            return refusal_for(self._reckoning.failure)
        return unavailable("The server is shutting down. Try again.", "server_stopping")
