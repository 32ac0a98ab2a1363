"""Who has to be billed, and for which time next."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from billing_worker.invoicing.calendar import same_wall_clock
from billing_worker.invoicing.rater import Rater
from ledger import billing_profiles, closings, organizations
from ledger.database import Connection
from ledger.invoice import Currency
from ledger.organizations import Organization
from ledger.periods import Period

AFTERMATH = timedelta(days=62)
"""How long after its last subscription an organization is looked after, for usage that comes late."""


class Payer(NamedTuple):
    """An account: one payer in one currency has one invoice a period."""

    organization_id: str
    currency: Currency


class Customer(NamedTuple):
    """An organization with plans of one currency: since when, and until when if they have ended."""

    organization: Organization
    since: datetime
    until: datetime | None


async def payers(connection: Connection) -> list[Payer]:
    rows = await connection.fetch(
        "select distinct coalesce(payer_id, subscription.organization_id) as payer_id, currency"
        " from subscription join plan on plan.id = plan_id"
        " left join billing_profile on billing_profile.organization_id = subscription.organization_id"
        " order by 1, 2"
    )
    return [Payer(row["payer_id"], row["currency"]) for row in rows]


async def group(connection: Connection, payer: Payer) -> list[Organization]:
    """The payer first, then those that it pays for."""
    ids = await billing_profiles.group_of(connection, payer.organization_id)
    return [await organizations.get(connection, each) for each in ids]


async def customers(
    connection: Connection, organizations: Sequence[Organization], currency: Currency
) -> dict[str, Customer]:
    """Those that ever had a plan of this currency, by their ids."""
    known = {organization.id: organization for organization in organizations}
    rows = await connection.fetch(
        "select organization_id, min(starts_at) as since,"
        " case when bool_or(ends_at is null) then null else max(ends_at) end as until"
        " from subscription join plan on plan.id = plan_id"
        " where organization_id = any($1) and currency = $2 group by organization_id",
        *(list(known), currency),
    )
    return {
        row["organization_id"]: Customer(known[row["organization_id"]], row["since"], row["until"])
        for row in rows
    }


async def next_period(
    connection: Connection, rater: Rater, payer: Payer, at: datetime, after: datetime | None = None
) -> Period | None:
    """The first time from `after` on that has begun at `at` and that no invoice of this payer covers; on its calendar.

    None where it is a customer no more and all is billed.
    """
    people = await group(connection, payer)
    known = await customers(connection, people, payer.currency)
    if not known:
        return None
    head = people[0]
    since = min(
        same_wall_clock(each.since, each.organization.time_zone, head.time_zone) for each in known.values()
    )
    ends = [each.until for each in known.values()]
    last = at if None in ends else min(at, max(end for end in ends if end) + AFTERMATH)
    start = (await period_around(connection, rater, head, since)).start
    start = start if after is None else max(start, after)
    if start >= last:
        return None
    open_ = await closings.gaps(connection, head.id, payer.currency, Period(start, last))
    if not open_:
        return None
    gap = open_[0]
    around = await period_around(connection, rater, head, gap.start)
    # A gap that reaches to `last` goes on after it.
    return Period(gap.start, around.end if gap.end == last else min(gap.end, around.end))


async def period_around(
    connection: Connection, rater: Rater, organization: Organization, at: datetime
) -> Period:
    """The organization's billing period that `at` lies in."""
    return (await rater.periods(connection, organization, Period(at, at + timedelta(microseconds=1))))[0]
