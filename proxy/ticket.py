"""What is known of a request when it asks for admission, and the records that come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.storage import Freed, Stored
from ledger.usage import Usage
from ledger.usage_record import Outcome, UsageSource
from proxy.deferred.work import Work
from proxy.endpoints.asked import Asked
from proxy.identity.ephemeral import Pass
from proxy.identity.principal import Principal
from proxy.offer import Offer
from proxy.quota.admission import Admitted
from proxy.quota.amounts import Hold
from proxy.quota.scopes import Scopes
from proxy.record import form
from proxy.record.draft import SWEPT_STATUS, Draft, compose
from proxy.record.form import Stem
from proxy.record.money import Money
from proxy.storage.told import touches_storage
from proxy.upstream.route import Ways


@dataclass(frozen=True, slots=True)
class Ticket:
    """`started` is by the monotonic clock, in seconds. `ids` stand in the path: kind -> id. `given`:
    the ephemeral key that the caller brought."""

    request_id: str
    principal: Principal
    project_id: str | None
    asked: Asked
    offer: Offer
    started: float
    ways: Ways
    scopes: Scopes
    ids: Mapping[str, str]
    given: Pass | None = None
    _stem: Stem = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        principal, quote = self.principal, self.offer.quote
        stem = Stem(
            request_id=self.request_id,
            organization_id=principal.organization_id,
            project_id=self.project_id,
            key_id=principal.key_id,
            member_id=principal.member_id,
            endpoint=self.asked.endpoint.template,
            model=self.asked.model,
            stream=self.asked.stream,
            currency=principal.terms.tariff.currency,
            usd_per_eur=quote.usd_per_eur,
            price_ref=quote.ref,
            search_term=self.asked.label,
        )
        object.__setattr__(self, "_stem", stem)

    def hold(self, period_start_ms: int = 0) -> Hold:
        """The hold it takes if it is booked in the period that starts then; 0 where nobody knows."""
        endpoint = self.asked.endpoint
        return Hold(
            self.principal.partition,
            self.request_id,
            self.scopes.ids,
            period_start_ms,
            touches_storage(endpoint),
        )

    def draft(self, *, spoken: bool = False) -> bytes:
        """The record as if nothing of an answer were delivered, for the hold. `spoken`: what will be delivered is
        sound."""
        usage, quote = self.offer.foreseen.sunk, self.offer.quote
        record = self.record(
            at_ms=0,
            status=SWEPT_STATUS,
            outcome="expired",
            usage=usage,
            source="hold",
            money=quote.money(usage),
            response_bytes=0,
            first_byte_ms=None,
            duration_ms=0,
        )
        return compose(record, self.scopes.ids, quote.output_money(usage.input_tokens, spoken=spoken))

    def record(
        self,
        *,
        at_ms: int,
        status: int,
        outcome: Outcome,
        usage: Usage,
        source: UsageSource,
        money: Money,
        response_bytes: int,
        first_byte_ms: int | None,
        duration_ms: int,
        objects: tuple[tuple[str, str], ...] = (),
        stored: tuple[Stored, ...] = (),
        freed: tuple[Freed, ...] = (),
        upstream: str | None = None,
        request_bytes: int | None = None,
    ) -> bytes:
        """The usage record, written; `at_ms` is the admission by Redis' clock. `upstream`: the one that answered, None
        while nobody knows. `request_bytes`: those that passed, None for all."""
        return self._stem.record(
            occurred_at_us=at_ms * 1000,
            upstream=upstream or self.ways[0].upstream.name,
            status=status,
            outcome=outcome,
            usage=usage,
            source=source,
            cost_nano_usd=money.cost_usd,
            cost_nano_eur=money.cost_eur,
            price_nano=money.price,
            price_nano_eur=money.price_eur,
            price_nano_tokens=money.price_tokens,
            request_bytes=self.asked.size if request_bytes is None else request_bytes,
            response_bytes=response_bytes,
            first_byte_ms=first_byte_ms,
            duration_ms=duration_ms,
            objects=objects,
            stored=stored,
            freed=freed,
        )

    def work(
        self,
        work_id: str,
        path: str,
        admitted: Admitted,
        upstream: str | None,
        objects: tuple[tuple[str, str], ...],
    ) -> Work:
        """What is left to be settled of a call whose work goes on at the provider."""
        kind = self.asked.endpoint.defers
        assert kind is not None
        return Work(
            id=work_id,
            kind=kind,
            path=path,
            partition=self.principal.partition,
            period_start_ms=admitted.period_start_ms,
            at_ms=admitted.at_ms,
            most_output=admitted.output,
            tariff=self.principal.terms.tariff,
            service_tier=self.offer.quote.service_tier,
            made=self._made(upstream, objects),
        )

    def _made(self, upstream: str | None, objects: tuple[tuple[str, str], ...]) -> Draft:
        """As `draft`, of all that was held, to be read by whoever settles the work."""
        usage, money = self.offer.lost
        written = self.record(
            at_ms=0,
            status=SWEPT_STATUS,
            outcome="expired",
            usage=usage,
            source="hold",
            money=money,
            response_bytes=0,
            first_byte_ms=None,
            duration_ms=0,
            objects=objects,
            upstream=upstream,
        )
        return Draft(form.read(written), self.scopes.ids, self.offer.quote.output_money(usage.input_tokens))
