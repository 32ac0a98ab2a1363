"""The reckoning of one call: reads its answer as it passes, and settles it.

Nothing here waits: settling is a plain call from whatever event ends the request, so no cancellation can skip it.
"""

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Final

import structlog

from ledger.storage import Freed, Stored
from ledger.upstream_objects import Place
from ledger.usage import Usage
from ledger.usage_record import Outcome, UsageSource
from proxy.deferred.kinds import KINDS
from proxy.deferred.work import Use
from proxy.house import House
from proxy.meter.answer import Answer, JsonAnswer, StreamedAnswer
from proxy.meter.encoding import Decoder, decoder_for
from proxy.meter.jobs import read_job
from proxy.meter.metering import Request
from proxy.ownership.finds import Finds, brings_objects
from proxy.quota.admission import Admitted
from proxy.quota.amounts import NOTHING_STORED, Amounts, Storage
from proxy.storage.told import freed_by, stored_by, touches_storage
from proxy.ticket import Ticket
from proxy.unpriced import note
from proxy.upstream.failure import UpstreamFailure

CLIENT_GONE_STATUS: Final = 499
"""Recorded where the client left before it was sent a status."""

_log = structlog.get_logger(__name__)


class Reckoning:
    """`status` is what the upstream answered, 0 before it did. `failure` is set where it gave no (whole) answer."""

    def __init__(self, house: House, ticket: Ticket, admitted: Admitted) -> None:
        self.status = 0
        self.failure: UpstreamFailure | None = None
        self.request_bytes = ticket.asked.size
        self.response_bytes = 0
        self.events = 0
        """Events of a stream that have passed; each brings about one token."""
        self._house = house
        self._ticket = ticket
        self._admitted = admitted
        self._answer: Answer = JsonAnswer()
        asked, endpoint = ticket.asked, ticket.asked.endpoint
        self._finds = Finds(endpoint, asked.request) if brings_objects(asked) else None
        self._is_read = (
            endpoint.costs
            or endpoint.polls is not None
            or self._finds is not None
            or touches_storage(endpoint)
        )
        """Whether an answer says anything that matters here: most files that pass do not, however large they are."""
        self._streams = False
        self._place = Place(None, "")
        self._first_byte_ms: int | None = None
        self._decoder: Decoder | None = None
        self._unreadable = False

    @property
    def brings_objects(self) -> bool:
        """Whether the answer may bring objects, which are entered as the caller's when it ends."""
        return self._finds is not None

    def begins(self, status: int, encoding: bytes, upstream: str) -> None:
        """The head has come from `upstream`; `encoding` is its Content-Encoding, empty for none."""
        self.status = status
        self._place = Place(self._ticket.project_id, upstream)
        self._first_byte_ms = self._elapsed_ms()
        if encoding:
            self._decoder = decoder_for(encoding)
            self._unreadable = self._decoder is None
            if self._unreadable:
                _log.warning(
                    "an answer comes in an encoding that can't be read here, so all that was held is charged",
                    request_id=self._ticket.request_id,
                    encoding=encoding.decode("ascii", "replace"),
                )

    def is_stream(self) -> None:
        if self._is_read:
            self._answer = StreamedAnswer()
            self._streams = True

    def saw(self, data: bytes) -> None:
        """What the upstream sent of its answer's body."""
        if not self._is_read:
            return
        if self._decoder is not None:
            data = self._decoded(self._decoder, data)
        self._answer.feed(data)
        if not self._streams:
            return
        self.events += data.count(b"\n\n") or data.count(b"\r\n\r\n")
        if self._finds is not None and self.status < 300:
            self._enter(self._finds.in_stream(data))

    def ends(self) -> None:
        """The answer is complete; what it brought belongs to the caller before the caller has seen it."""
        if self._finds is not None and self.status < 300:
            self._enter(self._finds.in_body(self._answer.decoded()))

    def settle(self, outcome: Outcome, *, forwarded: bool, upstream: str | None, error_status: int) -> None:
        """Replaces the hold by what was used. `forwarded`: an upstream may have acted on the request; `upstream` is the
        one that answered. `error_status`: what the client is told where nothing was answered."""
        try:
            if not self._defer(upstream):
                self._settle(outcome, forwarded, upstream, error_status)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets its end; the sweep settles what the hold says
            _log.exception("a request could not be settled", request_id=self._ticket.request_id)

    def _settle(self, outcome: Outcome, forwarded: bool, upstream: str | None, error_status: int) -> None:
        ticket = self._ticket
        usage, source = self._measure(forwarded)
        quote = ticket.offer.quote.served(self._served(source))
        missing = note(
            quote,
            usage,
            request_id=ticket.request_id,
            model=ticket.asked.model,
            measures=self._house.measures,
        )
        money = quote.money(usage)
        if missing and not money.cost_usd and not ticket.principal.terms.allows_unpriced_models:
            # The model has no rate at all that counts such things: what was held covers what was asked for.
            usage, source = self._all_that_is_held(), "hold"
            money = quote.money(usage)
        stored, freed = self._storage(outcome)
        status, duration_ms = (
            self.status or (error_status if self.failure else CLIENT_GONE_STATUS),
            self._elapsed_ms(),
        )
        record = ticket.record(
            at_ms=self._admitted.at_ms,
            status=status,
            outcome=outcome,
            usage=usage,
            source=source,
            money=money,
            response_bytes=self.response_bytes,
            first_byte_ms=self._first_byte_ms,
            duration_ms=duration_ms,
            objects=() if self._finds is None else self._finds.objects,
            stored=stored,
            freed=freed,
            upstream=upstream,
            request_bytes=self.request_bytes,
        )
        self._house.settler.settle(
            ticket.hold(self._admitted.period_start_ms),
            Amounts(1, usage.total_tokens, money.price, self.request_bytes + self.response_bytes),
            record,
            Storage(sum(each.bytes for each in stored), bool(freed)) if stored or freed else NOTHING_STORED,
        )
        self._house.measures.settled.add(
            *(ticket.asked.endpoint.template, status, outcome, source, usage, duration_ms)
        )
        if ticket.asked.endpoint.polls and self.status < 300 and outcome == "completed":
            self._finish_work()

    def _storage(self, outcome: Outcome) -> tuple[tuple[Stored, ...], tuple[Freed, ...]]:
        """What is kept upstream from now on, and what is not any more."""
        asked, ids = self._ticket.asked, self._ticket.ids
        if outcome != "completed" or not touches_storage(asked.endpoint):
            return (), ()
        answer = self._answer.decoded()
        is_copy = asked.endpoint.stores == "container_file" and asked.announced is None
        fails = self.status >= 300 or is_copy
        return (
            () if fails else stored_by(asked.endpoint, ids, answer, self.request_bytes),
            freed_by(asked.endpoint, ids, self.status, answer),
        )

    def _served(self, source: UsageSource) -> str | None:
        """The service tier that the answer names, if it can be read."""
        return None if source == "hold" or self.status >= 300 else self._answer.service_tier

    def _measure(self, forwarded: bool) -> tuple[Usage, UsageSource]:
        """What was used, and who says so."""
        if not forwarded or not self._ticket.asked.endpoint.costs:
            return Usage(), "provider"
        if self.failure is not None and self.status == 0:
            return Usage(), "unknown" if self.failure.sent else "provider"
        if self.status >= 300:
            return Usage(), "provider"
        try:
            if self._unreadable:
                return self._all_that_is_held(), "hold"
            return self._metered()
        except Exception:  # noqa: BLE001 - whatever an answer holds, its request is settled
            _log.exception("an answer could not be counted", request_id=self._ticket.request_id)
            return self._all_that_is_held(), "hold"

    def _all_that_is_held(self) -> Usage:
        held = self._ticket.offer.foreseen
        return Usage(
            input_tokens=held.input_tokens, output_tokens=self._admitted.output, quantities=held.quantities
        )

    def _decoded(self, decoder: Decoder, data: bytes) -> bytes:
        try:
            return decoder.decode(data)
        except ValueError as error:
            _log.warning("an answer can't be unfolded", request_id=self._ticket.request_id, reason=str(error))
            self._decoder, self._unreadable = None, True
            return b""

    def _metered(self) -> tuple[Usage, UsageSource]:
        asked, foreseen = self._ticket.asked, self._ticket.offer.foreseen
        request = Request(asked.model, asked.request, foreseen.prompt_tokens, audio=foreseen.audio)
        counter = self._house.tokenizers.for_model(asked.model)
        metered = asked.endpoint.meter(request, self._answer, counter)
        usage = metered.usage
        if metered.source == "tokenizer" and self._answer.partial:
            usage = replace(usage, output_tokens=min(usage.output_tokens, self._admitted.output))
        return usage, metered.source

    def _enter(self, ids: Sequence[str]) -> None:
        self._house.register.enter(self._ticket.principal, dict.fromkeys(ids, self._place))

    def _defer(self, upstream: str | None) -> bool:
        """Whether work goes on without this call, whose hold then stays for it."""
        kind, finds = self._ticket.asked.endpoint.defers, self._finds
        if kind is None or finds is None or finds.first is None or self.status >= 300 or not self._goes_on():
            return False
        thread = next((each for each, what in finds.objects if what == "thread"), "")
        path = KINDS[kind].path.format_map({"thread": thread, **self._ticket.ids, kind: finds.first})
        self._house.deferrals.begin(
            self._ticket.work(finds.first, path, self._admitted, upstream, finds.objects)
        )
        return True

    def _goes_on(self) -> bool:
        defers = self._ticket.asked.endpoint.defers
        if defers == "response" and self._ticket.asked.request.get("background") is not True:
            return False
        # A stream of a run also ends where the caller has to act.
        return not self._answer.ends or (defers == "run" and self._answer.usage is None)

    def _finish_work(self) -> None:
        """If what was looked at is work that has ended, its call is settled now. Work that ended without saying what
        it used is left to the collector."""
        kind = self._ticket.asked.endpoint.polls
        work_id = self._ticket.ids.get(kind or "")
        job = read_job(self._answer.decoded())
        usage = self._answer.usage if job is None else job.usage
        if work_id is not None and usage is not None:
            use = Use("", usage, service_tier=self._answer.service_tier)
            self._house.deferrals.finish(self._ticket.principal, work_id, use)

    def _elapsed_ms(self) -> int:
        return round((monotonic() - self._ticket.started) * 1000)
