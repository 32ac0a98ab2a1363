"""Which account and which time somebody means who asks for an invoice."""

from datetime import datetime, timedelta

from billing_worker.invoicing.customers import Payer, period_around
from billing_worker.invoicing.rater import Rater
from ledger import billing_profiles, organizations
from ledger.database import Connection
from ledger.errors import ConflictError, LedgerError
from ledger.invoice import Currency
from ledger.periods import Period

LONGEST = timedelta(days=400)


async def account(
    connection: Connection, organization_id: str, currency: Currency | None, at: datetime
) -> Payer:
    """Who pays for the organization, in the currency of its plan if none is named.

    Raises NotFoundError; ConflictError where it never had a plan.
    """
    payer_id = await billing_profiles.payer_of(connection, organization_id)
    known = await connection.fetchval(
        "select currency from subscription join plan on plan.id = plan_id"
        " where organization_id = any($1) and ($2::text is null or currency = $2)"
        " order by organization_id <> $3, starts_at > $4, starts_at desc limit 1",
        *([organization_id, payer_id], currency, organization_id, at),
    )
    if known is None:
        raise ConflictError(
            "the organization never had such a plan: there is nothing to bill", "organization_id"
        )
    return Payer(payer_id, known)


async def period_for(
    connection: Connection,
    rater: Rater,
    payer: Payer,
    at: datetime,
    *,
    start: datetime | None,
    end: datetime | None,
) -> Period:
    """What was asked for; the payer's present period where nothing was. Raises LedgerError for what is no period."""
    head = await organizations.get(connection, payer.organization_id)
    if start is None and end is not None:
        raise LedgerError("needs period_start beside it", "period_end")
    around = await period_around(connection, rater, head, start or at)
    if start is None:
        return around
    period = Period(start, end or around.end)
    if period.end <= period.start:
        raise LedgerError("must lie after period_start", "period_end")
    if period.end - period.start > LONGEST:
        raise LedgerError(f"must lie at most {LONGEST.days} days after period_start", "period_end")
    return period
