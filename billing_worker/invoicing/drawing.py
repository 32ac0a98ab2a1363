"""Working out what a payer owes: everything is read as of one instant, nothing is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing_worker.invoicing.addressing import Addressing, addressing
from billing_worker.invoicing.calendar import cut, merged, same_wall_clock
from billing_worker.invoicing.customers import Customer, Payer, customers, group, period_around
from billing_worker.invoicing.daily import by_day, requests
from billing_worker.invoicing.late import Surplus, owed, surplus
from billing_worker.invoicing.rater import Rater
from ledger import billing_profiles, closings, sellers
from ledger.closings import Covered, Past, Span, State
from ledger.database import Connection
from ledger.invoice import Currency, Invoice, InvoiceLine
from ledger.invoice_totals import ZERO, totals
from ledger.organizations import Organization
from ledger.periods import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What is owed for `spans` and, of `usage`, what came late for time before them.

    `line_spans`: of each line, the start of the time that it is for. `replaces` are closings that were cancelled and
    are billed again. `state` is that of the group's closings when this was worked out.
    """

    payer: Payer
    period: Period
    to: Addressing
    lines: tuple[InvoiceLine, ...]
    line_spans: tuple[datetime, ...]
    spans: tuple[Span, ...]
    usage: tuple[Covered, ...]
    replaces: tuple[int, ...]
    group: tuple[str, ...]
    state: State

    @property
    def empty(self) -> bool:
        """Whether nobody owes anything."""
        return not any(line.net for line in self.lines)

    @property
    def net(self) -> Decimal:
        return sum((line.net for line in self.lines), ZERO)

    @property
    def carried(self) -> set[tuple[str, datetime]]:
        """Of the lines: whose they are, and for which time."""
        return {
            (line.organization_id, start) for line, start in zip(self.lines, self.line_spans, strict=True)
        }

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.usage)

    def invoice(self, invoice_id: str) -> Invoice:
        """As a draft."""
        to = self.to
        sums = totals(self.lines, to.vat.exemptions)
        return Invoice(
            id=invoice_id,
            kind="invoice",
            status="draft",
            number=None,
            language=to.language,
            currency=self.payer.currency,
            period=self.period,
            issued_on=None,
            due_on=None,
            seller=to.seller,
            buyer=to.buyer,
            lines=self.lines,
            vat=sums.vat,
            net=sums.net,
            vat_total=sums.vat_total,
            gross=sums.gross,
            paid=sums.gross - sums.gross,
            mentions=to.mentions,
            payment_terms=to.payment_terms,
            time_zone=to.time_zone,
            bank_iban=to.bank_iban,
            bank_bic=to.bank_bic,
            buyer_reference=to.buyer_reference,
            vat_on_debits=to.vat_on_debits,
        )


@dataclass(slots=True)
class _Sheet:
    """One organization's part of the bill, while it is worked out."""

    connection: Connection
    rater: Rater
    organization: Organization
    currency: Currency
    to: Addressing
    replaces: Sequence[int]
    lines: list[tuple[InvoiceLine, datetime]]
    usage: list[Covered]

    async def bill(self, span: Period) -> None:
        """All of a span that was not billed before."""
        self.lines += [(line, span.start) for line in await self._rated(span)]
        self.usage += await self._used(span)

    async def catch_up(self, past: Iterable[Past]) -> None:
        """What came late, or was changed, after its time was billed."""
        known = list(past)
        touched = {each.period for each in known if each.touched}
        for stretch in merged(each.period for each in known):
            late = await self._requests(stretch) > await self._requests_billed(stretch)
            for each in known:
                if stretch.start <= each.period.start < stretch.end and (late or each.period in touched):
                    await self._again(each.period, changed=each.period in touched)

    async def _again(self, span: Period, *, changed: bool) -> None:
        before = await self._covered(span)
        more = surplus(await self._used(span), before, span)
        if not more and not changed:
            return
        billed = await closings.billed(
            self.connection, self.organization.id, self.currency, span, self.replaces
        )
        lines = owed(
            await self._rated(span),
            billed,
            more,
            span=span,
            organization_id=self.organization.id,
            language=self.to.language,
            time_zone=self.organization.time_zone,
        )
        self.lines += [(line, span.start) for line in lines]
        self.usage += [self._late(span, each) for each in more]

    def _late(self, span: Period, each: Surplus) -> Covered:
        return Covered(
            self.organization.id,
            span.start,
            each.period.start,
            each.project_id,
            each.model,
            each.requests,
            each.tokens,
            each.price_nano,
        )

    async def _rated(self, span: Period) -> Sequence[InvoiceLine]:
        return await self.rater.lines(
            self.connection, self.organization, self.currency, span, self.to.language
        )

    async def _used(self, span: Period) -> list[Covered]:
        return await by_day(self.connection, self.organization.id, self.currency, span)

    async def _requests(self, span: Period) -> int:
        return await requests(self.connection, self.organization.id, self.currency, span)

    async def _covered(self, span: Period) -> list[Covered]:
        return await closings.covered(
            self.connection, self.organization.id, self.currency, span, self.replaces
        )

    async def _requests_billed(self, span: Period) -> int:
        return sum(each.requests for each in await self._covered(span))


async def draw(connection: Connection, rater: Rater, payer: Payer, period: Period) -> Bill:
    """The payer's bill for `period`. Call it in a transaction that reads repeatably.

    Raises NotFoundError, and ConflictError where nobody said who sells.
    """
    seller = await sellers.get(connection)
    people = await group(connection, payer)
    profile = await billing_profiles.get(connection, payer.organization_id)
    to = addressing(seller, people[0], profile)
    state = await closings.state(connection, [each.id for each in people])
    cancelled = await closings.cancelled(connection, payer.organization_id, payer.currency, period)
    replaces = tuple(sorted({number for number, _ in cancelled}))
    known = await customers(connection, people, payer.currency)
    lines: list[tuple[InvoiceLine, datetime]] = []
    spans: list[Span] = []
    usage: list[Covered] = []
    for organization in people:
        own = await _spans(
            connection, rater, people[0], known.get(organization.id), organization, payer, period
        )
        own += [span.period for _, span in cancelled if span.organization_id == organization.id]
        sheet = _Sheet(connection, rater, organization, payer.currency, to, replaces, lines=[], usage=[])
        for span in sorted(own, key=lambda each: each.start):
            await sheet.bill(span)
            spans.append(Span(organization.id, span))
        await sheet.catch_up(await closings.past(connection, organization.id, payer.currency, replaces))
        name = organization.name if len(people) > 1 else None
        lines += [(replace(to.taxed(line), organization_name=name), span) for line, span in sheet.lines]
        usage += sheet.usage
    return Bill(
        payer=payer,
        period=period,
        to=to,
        lines=tuple(line for line, _ in lines),
        line_spans=tuple(span for _, span in lines),
        spans=tuple(spans),
        usage=tuple(usage),
        replaces=replaces,
        group=tuple(each.id for each in people),
        state=state,
    )


async def _spans(
    connection: Connection,
    rater: Rater,
    head: Organization,
    customer: Customer | None,
    organization: Organization,
    payer: Payer,
    period: Period,
) -> list[Period]:
    """The time of this organization that the payer's period brings with it: up to where the same day ends on its own
    calendar, and from wherever it was last billed."""
    if organization.id == head.id:
        within = period
    elif customer is None:
        return []
    else:
        end = same_wall_clock(period.end, head.time_zone, organization.time_zone)
        if customer.since >= end:
            return []
        since = (await period_around(connection, rater, organization, customer.since)).start
        if await _open_before(connection, head, payer, period, since):
            # That part goes on the payer's invoice before this one, which is still to come.
            since = max(since, same_wall_clock(period.start, head.time_zone, organization.time_zone))
        if since >= end:
            return []
        within = Period(since, end)
    open_ = await closings.gaps(connection, organization.id, payer.currency, within)
    return cut(open_, await rater.periods(connection, organization, within))


async def _open_before(
    connection: Connection, head: Organization, payer: Payer, period: Period, since: datetime
) -> bool:
    if since >= period.start:
        return False
    return bool(await closings.gaps(connection, head.id, payer.currency, Period(since, period.start)))
