"""What plans bring in: recurring prices, and what was invoiced, credited and paid."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from ledger.database import Connection
from ledger.periods import Period

_SECONDS = 20.0
# The plan of whoever pays, as it was last in the invoice's period.
_PLAN = (
    " left join lateral (select plan.name from subscription join plan on plan.id = plan_id"
    " where organization_id = invoice.payer_id and starts_at < invoice.period_end"
    " and (ends_at is null or ends_at > invoice.period_start) order by starts_at desc limit 1) subscribed on true"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRevenue:
    """Of one plan and currency, without VAT. `plan` is empty for who had none. `active` subscriptions are charged,
    `annual` of them by the year; `mrr` is what their prices come to per month.

    With VAT: `paid`, and `outstanding`, what is still to be paid on what was invoiced in the period.
    """

    plan: str
    currency: str
    active: int = 0
    annual: int = 0
    mrr: Decimal = Decimal(0)
    invoiced: Decimal = Decimal(0)
    credited: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    outstanding: Decimal = Decimal(0)


async def by_plan(connection: Connection, period: Period, at: datetime, time_zone: str) -> list[PlanRevenue]:
    """Subscriptions as they are at `at`; invoices issued and payments made in the period. By name and currency."""
    rows = await connection.fetch(
        "select plan, currency, sum(active)::bigint as active, sum(annual)::bigint as annual, sum(mrr) as mrr,"
        " sum(invoiced) as invoiced, sum(credited) as credited, sum(paid) as paid, sum(outstanding) as outstanding"
        " from ("
        " select plan.name as plan, plan.currency, 1 as active, (billing_interval = 'year')::int as annual,"
        " case when billing_interval = 'year' then round(yearly_price / 12, 6) else monthly_price end as mrr,"
        " 0 as invoiced, 0 as credited, 0 as paid, 0 as outstanding"
        " from subscription join plan on plan.id = plan_id"
        " join organization on organization.id = organization_id and organization.active"
        " where starts_at <= $3 and (ends_at is null or ends_at > $3)"
        " and (trial_ends_at is null or trial_ends_at <= $3)"
        " union all select coalesce(subscribed.name, ''), currency, 0, 0, 0,"
        " case when kind = 'invoice' then net else 0 end, case when kind = 'invoice' then 0 else net end, 0,"
        " case when kind = 'invoice' and status in ('sent', 'overdue') then gross - paid - credited else 0 end"
        f" from invoice{_PLAN} where issued_at >= $1 and issued_at < $2"
        " union all select coalesce(subscribed.name, ''), currency, 0, 0, 0, 0, 0, amount, 0"
        f" from invoice_payment join invoice on invoice.id = invoice_id{_PLAN}"
        " where paid_on >= ($1::timestamptz at time zone $4)::date"
        " and paid_on < ($2::timestamptz at time zone $4)::date"
        ") parts group by plan, currency order by plan, currency",
        *(period.start, period.end, at, time_zone),
        timeout=_SECONDS,
    )
    return [PlanRevenue(**dict(row)) for row in rows]


async def by_month(connection: Connection, period: Period, time_zone: str) -> list[tuple[date, Decimal]]:
    """What was invoiced less what was credited, in euros by the rate of the day of issue; months that have any."""
    rows = await connection.fetch(
        "select date_trunc('month', issued_at at time zone $3)::date as month,"
        " sum(round(case when kind = 'invoice' then net else -net end * gross_eur / gross, 2)) as net"
        " from invoice where issued_at >= $1 and issued_at < $2 and gross <> 0 group by 1 order by 1",
        *(period.start, period.end, time_zone),
        timeout=_SECONDS,
    )
    return [(row["month"], row["net"]) for row in rows]
