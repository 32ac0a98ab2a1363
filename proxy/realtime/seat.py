"""Who sits in a session and by which model: what its turns may cost, and what each is recorded as."""

from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from ledger.usage import Usage
from proxy.endpoints.asked import Asked
from proxy.endpoints.endpoint import Endpoint
from proxy.errors import Refusal
from proxy.foreseen import Foreseen
from proxy.identity.identities import Identities
from proxy.identity.principal import Principal
from proxy.meter import meters
from proxy.meter.models import family_of
from proxy.meter.realtime import FIRST_TRANSCRIBER
from proxy.meter.transcription import by_length
from proxy.offer import Offer, check_plan, quote_for
from proxy.pricing import PriceBook, Quote
from proxy.quota.amounts import Demand
from proxy.ticket import Ticket
from proxy.unpriced import check_rates
from proxy.upstream.route import Ways

ENDPOINT: Final = Endpoint("realtime", "GET", "/v1/realtime", meters.text, needs_model=True)
"""A turn is recorded as a call of it. It is no entry of the catalogue: over plain HTTP there is nothing there."""

_UNAVAILABLE: Final = 503
_HEARD_SECONDS: Final = 900
"""Of speech that one turn's hold covers the transcription of. The largest buffer that is committed at once has 5
minutes."""
_SPOKEN: Final = Usage(input_tokens=2, output_tokens=2, audio_input_tokens=1, audio_output_tokens=1)
"""Some of each kind that a session of speech may use."""
_WRITTEN_A_SECOND: Final = 10
"""Tokens that a second of speech comes to in writing, at the most."""
_NOTHING: Final = Demand(0, 0, 0, 0, 0)
_UNFORESEEN: Final = Foreseen()


def asking(model: str, label: str | None = None) -> Asked:
    """What a session by this model asks for."""
    return Asked(ENDPOINT, b"", {}, model, True, label)


@dataclass(frozen=True, slots=True)
class Seat:
    """`transcribes`: the session is for transcriptions alone, so its model transcribes and never responds. `observes`:
    it stands beside a call that is attended to, and uses nothing by itself. `secret` is one of the upstream's, None for
    our key."""

    principal: Principal
    project_id: str | None
    asked: Asked
    ways: Ways
    prices: PriceBook
    transcribes: bool = False
    observes: bool = False
    secret: str | None = None

    def ticket(self, request_id: str, transcriber: str = "") -> Ticket:
        """For a turn of its own. `transcriber` is the model that writes down the caller's speech, empty for none."""
        quote = self._quote(self.asked.model)
        return self._ticket(request_id, self.asked, quote, self._demand(quote, transcriber))

    def other_ticket(self, request_id: str, model: str) -> Ticket:
        """For what another model did in the session. It holds nothing."""
        asked = replace(self.asked, model=model)
        return self._ticket(request_id, asked, self._quote(model), _NOTHING)

    async def again(self, identities: Identities) -> "Seat":
        """The seat as of now. Raises Refusal where its holder may not go on: a key was revoked, a plan changed."""
        try:
            principal = await identities.again(self.principal)
        except Refusal as refusal:
            if refusal.status == _UNAVAILABLE:
                return self  # whoever was known goes on while the ledger is out of reach
            raise
        seat = replace(self, principal=principal)
        if not self.observes:
            seat.check(self.asked.model)
        return seat

    def check(self, model: str) -> None:
        """Raises Refusal unless the plan has this model and it has a price, of sound as well, as `check_plan`,
        `check_rates` and `quote_for`."""
        quote = self._quote(model)
        check_plan(replace(self.asked, model=model), self.principal, quote)
        writes = self.transcribes or model != self.asked.model
        check_rates(model, by_length(model, 1, 1) if writes else _SPOKEN, quote, self.principal)

    def _quote(self, model: str) -> Quote:
        return quote_for(replace(self.asked, model=model), self.principal, self.prices)

    def _ticket(self, request_id: str, asked: Asked, quote: Quote, demand: Demand) -> Ticket:
        return Ticket(
            request_id,
            self.principal,
            self.project_id,
            asked,
            Offer(_UNFORESEEN, demand, quote),
            monotonic(),
            self.ways,
            self.principal.scopes(self.project_id),
            {},
        )

    def _demand(self, quote: Quote, transcriber: str) -> Demand:
        """One response with the fullest context, whose every token may be sound, and what is heard meanwhile."""
        if self.observes:
            return _NOTHING
        if self.transcribes:
            tokens, money = self._heard(self.asked.model or FIRST_TRANSCRIBER)
            return Demand(tokens, money, 0, 0, 0)
        family = family_of(self.asked.model)
        money = quote.most(family.context, 0)
        heard = self._heard(transcriber) if transcriber else (0, 0)
        return Demand(
            family.context + heard[0],
            money + heard[1],
            family.max_output,
            family.max_output,
            quote.most_per_output_token(family.context),
        )

    def _heard(self, transcriber: str) -> tuple[int, int]:
        """Tokens and money of the longest transcription."""
        used = by_length(transcriber, _HEARD_SECONDS)
        written = _HEARD_SECONDS * _WRITTEN_A_SECOND if used.input_tokens else 0
        most = self._quote(transcriber).most(used.input_tokens, written, used.quantities)
        return used.input_tokens + written, most
