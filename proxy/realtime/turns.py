"""The turns of one session: drives its chain of holds by what the server says, and keeps its books.

Settling is a plain call, so no cancellation can skip it; only the next hold is waited for, and what the client sends
meanwhile waits with it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

import structlog

from ledger.ids import new_id
from ledger.usage import Usage
from ledger.usage_record import Outcome
from proxy.errors import Refusal
from proxy.house import House
from proxy.meter.realtime import RealtimeMeter, RealtimeUse
from proxy.quota.admission import Admitted
from proxy.realtime.books import Books, Used
from proxy.realtime.chain import Action, Actions, Chain, Do
from proxy.realtime.events import News, Wish, news_of
from proxy.realtime.seat import Seat
from proxy.realtime.turn import SWITCHED, Turn, take_hold
from proxy.ticket import Ticket

_log = structlog.get_logger(__name__)

_NOTHING: Used = (Usage(), "provider")


@dataclass(frozen=True, slots=True)
class Over:
    """Why a session may not go on. `refusal` is what its client is told."""

    outcome: Outcome
    refusal: Refusal | None = None


class Turns:
    """`over` is done once the session must end."""

    def __init__(
        self, house: House, seat: Seat, request_id: str, stalled: Callable[[], float | None]
    ) -> None:
        """`stalled`: since when the client takes nothing, by monotonic seconds."""
        self.over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
        self.books = Books(house, seat)
        self._house = house
        self._seat = seat
        self._request_id = request_id
        self._stalled = stalled
        self._chain = Chain()
        self._meter = RealtimeMeter()
        self._counter = house.tokenizers.for_model(seat.asked.model)
        self._turns: dict[int, Turn] = {}
        self._made = 0
        self._told_model = ""
        self._transcriber = ""
        self._spoken = True
        self._refusal: Refusal | None = None
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> tuple[Ticket, Admitted]:
        """Takes the first hold. Raises Refusal."""
        self._chain.opens()
        ticket = self._seat.ticket(self._request_id)
        admitted = await take_hold(self._house, ticket, spoken=self._spoken)
        self._granted(ticket, admitted)
        return ticket, admitted

    # -- What the client sends

    async def may_send(self, wish: Wish) -> None:
        """Returns once what the client wishes may go upstream. Raises Refusal for what may not."""
        if not self._seat.observes and wish.model not in ("", self._seat.asked.model):
            raise _other_model(self._seat.asked.model)
        if wish.transcriber:
            self._seat.check(wish.transcriber)
        if wish.references:
            await self._house.register.require(self._seat.principal, self._seat.project_id, wish.references)
        responds = wish.responds and not self._seat.observes
        self._refusal = None  # of a wish that found room after all
        while not (self._chain.may_ask() if responds else self._chain.holds):
            if self._refusal is not None:
                refusal, self._refusal = self._refusal, None
                raise refusal
            if responds:
                self._act(self._chain.wants_another())
            self._changed.clear()
            # Every hold that is asked for comes or is refused within the gate's bound.
            await self._changed.wait()
        self._transcriber = wish.transcriber or self._transcriber

    # -- What the server sends

    def saw(self, message: bytes) -> None:
        self.books.passed.received += len(message)
        if self._seat.observes:
            return
        try:
            self._take(message, news_of(message))
        except Refusal as refusal:
            self._end("stopped", refusal)

    def _take(self, message: bytes, news: News | None) -> None:
        delivered: Usage | None = None
        if news is not None and news.kind == "response.done" and not news.reported:
            delivered = self._meter.cut(self._counter)
        use = self._meter.feed(message)
        if use is not None and use.model:
            self._transcribed(use)
        match news:
            case News("response.created", response):
                self._act(self._chain.began(response))
                self._began(response)
            case News("response.done", response):
                self._done(response, use, delivered)
            case News("session", model=model, transcriber=transcriber):
                self._configured(model, transcriber)
            case News("error"):
                self._act(self._chain.answered())

    def _configured(self, model: str, transcriber: str) -> None:
        if model and self._told_model not in ("", model):
            raise _other_model(self._told_model)
        self._told_model = model or self._told_model
        if transcriber:
            self._seat.check(transcriber)
            self._transcriber = transcriber

    def _began(self, response: str) -> None:
        turn = self._turns.get(self._chain.turn_of(response) or 0)
        if turn is not None:
            turn.began = monotonic()

    def _done(self, response: str, use: RealtimeUse | None, delivered: Usage | None) -> None:
        used = _NOTHING
        if use is not None:
            used = use.usage, "provider"
            self._spoken = use.usage.audio_output_tokens > 0
        elif delivered is not None and delivered.output_tokens:
            used = delivered, "tokenizer"
        self._act(self._chain.done(response, used=used is not _NOTHING), used)

    def _transcribed(self, use: RealtimeUse) -> None:
        used: Used = (use.usage, "provider" if use.reported else "tokenizer")
        if self._seat.transcribes:
            self._act(self._chain.done(use.id, used=True), used, use.model)
            return
        self._act(self._chain.used())
        self.books.beside(use.model, used)

    # -- The end

    @property
    def busy(self) -> bool:
        return self._chain.busy

    def stop(self) -> None:
        """What is under way is the last."""
        self._act(self._chain.stops())

    async def quiet(self) -> None:
        """Returns when no response is under way."""
        while self._chain.busy:
            self._changed.clear()
            await self._changed.wait()

    def end(self, outcome: Outcome, *, status: int = SWITCHED, noted: bool = True) -> None:
        """Settles all that is open. May be called again, and then does nothing. `noted`: a session that used nothing
        leaves a record all the same."""
        if not noted:
            self._act(self._chain.used())
        cut = self._meter.cut(self._counter)
        for action in self._chain.ended():
            turn = self._turns.pop(action.turn or 0, None)
            if turn is not None:
                self._house.running.remove(turn)
            match action.do:
                case Do.CUT:
                    # One response speaks at a time; what another beside it has written is not known.
                    used: Used = (Usage(), "unknown") if cut is None else (cut, "tokenizer")
                    cut = None
                    self.books.settle(turn, used, outcome, status)
                case Do.NOTE:
                    ended: Outcome = "completed" if outcome == "client_gone" else outcome
                    self.books.settle(turn, _NOTHING, ended, status)
                case Do.RELEASE if turn is not None:
                    turn.release()
        for task in self._tasks:
            task.cancel()

    def _end(self, outcome: Outcome, refusal: Refusal | None = None) -> None:
        if not self.over.done():
            self.over.set_result(Over(outcome, refusal))

    # -- What follows

    def _act(self, actions: Actions, used: Used = _NOTHING, model: str = "") -> None:
        for action in actions:
            match action:
                case Action(Do.HOLD):
                    task = asyncio.get_running_loop().create_task(self._hold())
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                case Action(Do.SETTLE, number):
                    turn = self._turns.pop(number or 0, None)
                    if turn is not None:
                        self._house.running.remove(turn)
                    self.books.settle(turn, used, "completed", SWITCHED, model)
                case Action(Do.RELEASE, number):
                    turn = self._turns.pop(number or 0)
                    self._house.running.remove(turn)
                    turn.release()
                case Action(Do.END):
                    refusal, self._refusal = self._refusal, None
                    self._end("stopped", refusal)
                case Action(Do.REFUSE):
                    pass  # who waits finds the refusal, and its client is told
        self._changed.set()

    async def _hold(self) -> None:
        try:
            self._seat = self.books.seat = await self._seat.again(self._house.identities)
            ticket = self._seat.ticket(new_id("req"), self._transcriber)
            admitted = await take_hold(self._house, ticket, spoken=self._spoken)
        except Refusal as refusal:
            self._refusal = refusal
            self._house.measures.refused(refusal.status, refusal.code)
            self._act(self._chain.refused())
            return
        except Exception:  # noqa: BLE001 - whatever it is, nothing is used without a hold
            _log.exception("a session could not take its next hold", request_id=self._request_id)
            self._end("stopped")
            return
        self._granted(ticket, admitted)

    def _granted(self, ticket: Ticket, admitted: Admitted) -> None:
        self._made += 1
        number = self._made
        turn = Turn(
            self._house,
            ticket,
            admitted,
            delivered=lambda: self._meter.delivered_tokens,
            stalled=self._stalled,
            lost=partial(self._lost, number),
            left=partial(self._end, "client_gone"),
        )
        self._turns[number] = turn
        self.books.latest = admitted
        self._house.running.add(turn, alone=False)
        self._act(self._chain.granted(number))

    def _lost(self, number: int) -> None:
        turn = self._turns.pop(number, None)
        if turn is not None:
            self._house.running.remove(turn)
        if self._chain.lost(number):
            self._end("expired")


def _other_model(model: str) -> Refusal:
    return Refusal(
        400,
        f"The model of a session stays what it was ({model}). Open another session for another model.",
        code="model_not_changeable",
        param="session.model",
    )
