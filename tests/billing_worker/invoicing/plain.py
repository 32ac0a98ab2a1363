"""The least of rating and printing that invoicing can stand on: rows added up, and files of a few bytes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing_worker.invoicing.press import Printed
from billing_worker.rating.usage import HourTokens, UsageEntry, UsageSource, UsageSum
from ledger.database import Connection
from ledger.invoice import Currency, Invoice, InvoiceLine, Language
from ledger.organizations import Organization
from ledger.periods import Period, month_after, month_of
from ledger.usage import Usage

SECOND_PLACE = Decimal("0.01")


@dataclass(frozen=True)
class Rows:
    connection: Connection

    async def sums(self, organization_id: str, period: Period) -> Sequence[UsageSum]:
        rows = await self.connection.fetch(
            "select project_id, model, currency, count(*) as requests, sum(input_tokens)::bigint as input_tokens,"
            " sum(output_tokens)::bigint as output_tokens, sum(price_nano)::bigint as price_nano from usage"
            " where organization_id = $1 and occurred_at >= $2 and occurred_at < $3 group by 1, 2, 3",
            *(organization_id, period.start, period.end),
        )
        return [
            UsageSum(
                project_id=row["project_id"],
                model=row["model"],
                currency=row["currency"],
                requests=row["requests"],
                usage=Usage(input_tokens=row["input_tokens"], output_tokens=row["output_tokens"]),
                price_nano=row["price_nano"],
            )
            for row in rows
        ]

    async def tokens_by_hour(self, organization_id: str, period: Period) -> Sequence[HourTokens]:
        raise NotImplementedError

    def entries(self, organization_id: str, period: Period) -> AsyncIterator[UsageEntry]:
        raise NotImplementedError


class PlainRater:
    """The monthly price, where the plan holds at the end of the time, and each model's usage at its records' prices."""

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
        lines = (
            [line("subscription", fee["name"], fee["monthly_price"], span, organization.id)] if fee else []
        )
        lines += [
            line("usage", each.model, Decimal(each.price_nano).scaleb(-9), span, organization.id, each.model)
            for each in sorted(
                await Rows(connection).sums(organization.id, span), key=lambda each: each.model
            )
            if each.currency == currency
        ]
        return [each for each in lines if each.net]

    def usage(self, connection: Connection) -> UsageSource:
        return Rows(connection)

    async def periods(
        self, connection: Connection, organization: Organization, within: Period
    ) -> Sequence[Period]:
        found = [month_of(within.start, organization.time_zone)]
        while found[-1].end < within.end:
            found.append(month_after(found[-1], organization.time_zone))
        return found


def line(
    kind: str, text: str, amount: Decimal, span: Period, organization_id: str, model: str | None = None
) -> InvoiceLine:
    net = amount.quantize(SECOND_PLACE, "ROUND_HALF_UP")
    return InvoiceLine(
        kind=kind,  # type: ignore[arg-type]
        description=text,
        quantity=Decimal(1),
        unit="C62",
        unit_price=net,
        base_quantity=Decimal(1),
        net=net,
        vat_category="S",
        vat_rate=Decimal(20),
        period=span,
        organization_id=organization_id,
        model=model,
    )


class QuickPress:
    async def print(self, invoice: Invoice) -> Printed:
        assert invoice.number is not None
        return Printed(b"pdf of " + invoice.number.encode(), b"<xml/>")

    async def preview(self, draft: Invoice) -> bytes:
        return b"pdf of a draft"
