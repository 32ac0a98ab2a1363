"""Rating as the ledger has it: the Rater of a running system."""

from collections.abc import Sequence
from decimal import Decimal

from billing_worker.rating.ledger_usage import LedgerUsage
from ledger.database import Connection
from ledger.invoice import Currency, InvoiceLine, Language, LineKind
from ledger.organizations import Organization
from ledger.periods import Period, month_after, month_of


class LedgerRater:
    async def lines(
        self,
        connection: Connection,
        organization: Organization,
        currency: Currency,
        span: Period,
        language: Language,
    ) -> Sequence[InvoiceLine]:
        fee = await connection.fetchrow(
            "select name, monthly_price from subscription join plan on plan.id = plan_id where organization_id = $1"
            " and currency = $2 and starts_at < $3 and (ends_at is null or ends_at >= $3)",
            *(organization.id, currency, span.end),
        )
        found: list[tuple[LineKind, str, Decimal, str | None]] = []
        if fee:
            found.append(("subscription", fee["name"], fee["monthly_price"], None))
        found += [
            ("usage", each.model, Decimal(each.price_nano).scaleb(-9), each.model)
            for each in await LedgerUsage(connection).sums(organization.id, span)
        ]
        return [
            InvoiceLine(
                kind=kind,
                description=text,
                quantity=Decimal(1),
                unit="C62",
                unit_price=(net := amount.quantize(Decimal("0.01"))),
                base_quantity=Decimal(1),
                net=net,
                vat_category="S",
                vat_rate=Decimal(20),
                period=span,
                organization_id=organization.id,
                model=model,
            )
            for kind, text, amount, model in found
        ]

    def usage(self, connection: Connection) -> LedgerUsage:
        return LedgerUsage(connection)

    async def periods(
        self, connection: Connection, organization: Organization, within: Period
    ) -> Sequence[Period]:
        found = [month_of(within.start, organization.time_zone)]
        while found[-1].end < within.end:
            found.append(month_after(found[-1], organization.time_zone))
        return found
