"""One turn of a session: a hold, and the usage record that takes its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from ledger.usage import Usage
from ledger.usage_record import Outcome, UsageSource
from proxy.house import House
from proxy.identity.principal import Principal
from proxy.quota.admission import Admitted, Refused
from proxy.quota.amounts import Amounts
from proxy.quota.gate import LimitsUnknown
from proxy.quota.refusals import refusal
from proxy.record import form
from proxy.ticket import Ticket
from proxy.unpriced import note

SWITCHED: Final = 101
"""The status of a session that was opened: Switching Protocols."""


@dataclass(slots=True)
class Passed:
    """Bytes of messages since the last record."""

    sent: int = 0
    received: int = 0

    def take(self) -> "Passed":
        taken = replace(self)
        self.sent = self.received = 0
        return taken


async def take_hold(house: House, ticket: Ticket, *, spoken: bool) -> Admitted:
    """Raises Refusal. What may have been written all the same is given back, also when this is cancelled."""
    try:
        verdict = await house.gate.admit(
            ticket.principal,
            ticket.scopes,
            ticket.request_id,
            ticket.offer.demand,
            ticket.draft(spoken=spoken),
        )
    except LimitsUnknown as unknown:
        if unknown.maybe_held:
            house.settler.release(ticket.hold())
        raise unknown.refusal() from None
    except BaseException:
        house.settler.release(ticket.hold())
        raise
    if isinstance(verdict, Refused):
        raise refusal(verdict, ticket.principal.terms.tariff.currency)
    return verdict


class Turn:
    """What the watch over running calls (Running) sees of a session."""

    def __init__(
        self,
        house: House,
        ticket: Ticket,
        admitted: Admitted,
        *,
        delivered: Callable[[], int],
        stalled: Callable[[], float | None],
        lost: Callable[[], None],
        left: Callable[[], None],
    ) -> None:
        self.ticket = ticket
        self.admitted = admitted
        self.began: float | None = None
        """When its response began; monotonic seconds."""
        self.hold_lost = lost
        self.client_left = left
        self._house = house
        self._delivered = delivered
        self._stalled = stalled

    @property
    def request_id(self) -> str:
        return self.ticket.request_id

    @property
    def principal(self) -> Principal:
        return self.ticket.principal

    @property
    def delivered_tokens(self) -> int:
        return 0 if self.began is None else self._delivered()

    @property
    def stalled_since(self) -> float | None:
        return self._stalled()

    def release(self) -> None:
        self._house.settler.release(self.ticket.hold(self.admitted.period_start_ms))


def record(
    house: House,
    ticket: Ticket,
    admitted: Admitted,
    used: tuple[Usage, UsageSource],
    outcome: Outcome,
    passed: Passed,
    *,
    status: int,
    upstream: str | None,
    since: float | None,
) -> None:
    """Writes down what was used, in place of the ticket's hold if it has one. `admitted` says when, and in which
    period; `since` is when it began by the monotonic clock, None for when the ticket was made."""
    usage, source = used
    quote, model = ticket.offer.quote, ticket.asked.model
    note(quote, usage, request_id=ticket.request_id, model=model, measures=house.measures)
    money = quote.money(usage)
    started = ticket.started if since is None else since
    made = ticket.record(
        at_ms=admitted.at_ms,
        status=status,
        outcome=outcome,
        usage=usage,
        source=source,
        money=money,
        response_bytes=passed.received,
        first_byte_ms=None,
        duration_ms=round((monotonic() - started) * 1000),
        upstream=upstream,
    )
    made = replace(made, request_bytes=passed.sent)
    amounts = Amounts(1, usage.total_tokens, money.price, passed.sent + passed.received)
    house.settler.settle(ticket.hold(admitted.period_start_ms), amounts, form.write(made))
    house.measures.settled(made)
