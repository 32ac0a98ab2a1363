"""One turn of a session: its hold."""

from collections.abc import Callable
from typing import Final

from proxy.house import House
from proxy.identity.principal import Principal
from proxy.quota.admission import Admitted, Refused
from proxy.quota.gate import LimitsUnknown
from proxy.quota.refusals import refusal
from proxy.ticket import Ticket

SWITCHED: Final = 101
"""The status of a session that was opened: Switching Protocols."""


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
