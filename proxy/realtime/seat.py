"""Who sits in a session and by which model: what its turns may cost, and what each is recorded as."""

from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from proxy.endpoints.asked import Asked
from proxy.endpoints.endpoint import Endpoint
from proxy.foreseen import Foreseen
from proxy.identity.principal import Principal
from proxy.meter import meters
from proxy.meter.models import family_of
from proxy.meter.realtime import FIRST_TRANSCRIBER
from proxy.meter.transcription import by_length
from proxy.offer import Offer, check_plan, quote_for
from proxy.pricing import PriceBook, Quote
from proxy.quota.amounts import Demand
from proxy.ticket import Ticket
from proxy.upstream.route import Ways

ENDPOINT: Final = Endpoint("realtime", "GET", "/v1/realtime", meters.text, needs_model=True)
"""A turn is recorded as a call of it. It is no entry of the catalogue: over plain HTTP there is nothing there."""

_HEARD_SECONDS: Final = 900
"""Of speech that one turn's hold covers the transcription of. The largest buffer that is committed at once has 5
minutes."""
_WRITTEN_A_SECOND: Final = 10
"""Tokens that a second of speech comes to in writing, at the most."""
_NONE: Final = Foreseen()


def asking(model: str, label: str | None = None) -> Asked:
    """What a session by this model asks for."""
    return Asked(ENDPOINT, b"", {}, model, True, label)


@dataclass(frozen=True, slots=True)
class Seat:
    """`transcribes`: the session is for transcriptions alone, so its model transcribes and never responds."""

    principal: Principal
    project_id: str | None
    asked: Asked
    quote: Quote
    ways: Ways
    prices: PriceBook
    transcribes: bool = False

    def ticket(self, request_id: str, transcriber: str = "") -> Ticket:
        """For a turn of its own. `transcriber` is the model that writes down the caller's speech, empty for none."""
        return self._ticket(request_id, self.asked, self.quote, self._demand(transcriber))

    def other_ticket(self, request_id: str, model: str) -> Ticket:
        """For what another model did in the session. It holds nothing."""
        asked = replace(self.asked, model=model)
        quote = quote_for(asked, self.principal, self.prices)
        return self._ticket(request_id, asked, quote, Demand(0, 0, 0, 0, 0))

    def check(self, model: str) -> None:
        """Raises Refusal unless the plan has this model and it has a price, as `check_plan` and `quote_for`."""
        asked = replace(self.asked, model=model)
        check_plan(asked, self.principal, quote_for(asked, self.principal, self.prices))

    def _ticket(self, request_id: str, asked: Asked, quote: Quote, demand: Demand) -> Ticket:
        return Ticket(
            request_id,
            self.principal,
            self.project_id,
            asked,
            Offer(_NONE, demand, quote),
            monotonic(),
            self.ways,
            self.principal.scopes(self.project_id),
            {},
        )

    def _demand(self, transcriber: str) -> Demand:
        """One response with the fullest context, whose every token may be sound, and what is heard meanwhile."""
        if self.transcribes:
            tokens, money = self._heard(self.asked.model or FIRST_TRANSCRIBER)
            return Demand(tokens, money, 0, 0, 0)
        family = family_of(self.asked.model)
        money = self.quote.most(family.context, 0)
        heard = self._heard(transcriber) if transcriber else (0, 0)
        return Demand(
            family.context + heard[0],
            money + heard[1],
            family.max_output,
            family.max_output,
            self.quote.most_per_output_token(family.context),
        )

    def _heard(self, transcriber: str) -> tuple[int, int]:
        """Tokens and money of the longest transcription."""
        used = by_length(transcriber, _HEARD_SECONDS)
        written = _HEARD_SECONDS * _WRITTEN_A_SECOND if used.input_tokens else 0
        asked = replace(self.asked, model=transcriber)
        quote = quote_for(asked, self.principal, self.prices)
        return used.input_tokens + written, quote.most(used.input_tokens, written, used.quantities)
