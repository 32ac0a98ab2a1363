"""The usage records of one session: one for each turn, in place of its hold, and one for what other models did."""

from dataclasses import dataclass, replace
from time import monotonic

import structlog

from ledger.ids import new_id
from ledger.usage import Usage
from ledger.usage_record import Outcome, UsageSource
from proxy.house import House
from proxy.quota.admission import Admitted
from proxy.quota.amounts import Amounts
from proxy.realtime.seat import Seat
from proxy.realtime.turn import SWITCHED, Turn
from proxy.ticket import Ticket
from proxy.unpriced import note

Used = tuple[Usage, UsageSource]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Passed:
    """Bytes of messages since the last record."""

    sent: int = 0
    received: int = 0

    def take(self) -> "Passed":
        taken = replace(self)
        self.sent = self.received = 0
        return taken


class Books:
    """`seat` is that of the next record. `latest` is the last admission: what has no hold of its own is counted in its
    period. `upstream` is the name of the one that was reached, if any was."""

    def __init__(self, house: House, seat: Seat) -> None:
        self.passed = Passed()
        self.latest: Admitted | None = None
        self.upstream: str | None = None
        self._house = house
        self.seat = seat

    def settle(self, turn: Turn | None, used: Used, outcome: Outcome, status: int, model: str = "") -> None:
        """Of a response, or of what `model` did instead. Without a turn its response began before there was a hold."""
        passed = self.passed.take()
        identifier = new_id("req") if turn is None else turn.request_id
        try:
            if turn is None or model:
                ticket = self.seat.other_ticket(identifier, model or self.seat.asked.model)
            else:
                ticket = turn.ticket
            self._record(ticket, used, passed, turn, outcome, status)
        except Exception:  # noqa: BLE001 - the session comes to its end; the sweep settles what the hold says
            _log.exception("a turn could not be settled", request_id=identifier)

    def beside(self, model: str, used: Used) -> None:
        """Of what another model did beside the responses. Raises Refusal while prices are not known."""
        ticket = self.seat.other_ticket(new_id("req"), model)
        self._record(ticket, used, Passed(), None, "completed", SWITCHED)

    def _record(
        self, ticket: Ticket, used: Used, passed: Passed, turn: Turn | None, outcome: Outcome, status: int
    ) -> None:
        admitted = self.latest if turn is None else turn.admitted
        assert admitted is not None, "a session has used nothing before its first hold"
        started = ticket.started if turn is None or turn.began is None else turn.began
        usage, source = used
        quote, model = ticket.offer.quote, ticket.asked.model
        note(quote, usage, request_id=ticket.request_id, model=model, measures=self._house.measures)
        money = quote.money(usage)
        duration_ms = round((monotonic() - started) * 1000)
        record = ticket.record(
            at_ms=admitted.at_ms,
            status=status,
            outcome=outcome,
            usage=usage,
            source=source,
            money=money,
            response_bytes=passed.received,
            first_byte_ms=None,
            duration_ms=duration_ms,
            upstream=self.upstream,
            request_bytes=passed.sent,
        )
        amounts = Amounts(1, usage.total_tokens, money.price, passed.sent + passed.received)
        self._house.settler.settle(ticket.hold(admitted.period_start_ms), amounts, record)
        self._house.measures.settled.add(
            *(ticket.asked.endpoint.template, status, outcome, source, usage, duration_ms)
        )
