"""What is billed: of each organization and currency, which time, and which usage of it.

Nothing is billed twice, because the database lets no two closings share time; nothing is lost, because what is in none
goes on the next one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from ledger.database import Connection
from ledger.invoice import Currency, LineKind
from ledger.periods import Period


class Span(NamedTuple):
    """Time of an organization that one closing bills."""

    organization_id: str
    period: Period


class Covered(NamedTuple):
    """Usage that was billed of one day, or of the part of it that lies in the span."""

    organization_id: str
    span_start: datetime
    starts_at: datetime
    project_id: str
    model: str
    requests: int
    tokens: int
    price_nano: int


class State(NamedTuple):
    """Changes with every closing of these organizations, and with every one that is taken back."""

    latest: int
    cancelled: int


async def state(connection: Connection, organizations: Sequence[str]) -> State:
    row = await connection.fetchrow(
        "select coalesce(max(closing_id), 0) as latest, count(*) filter (where cancelled) as cancelled"
        " from closing_span where organization_id = any($1)",
        list(organizations),
    )
    return State(0, 0) if row is None else State(*row)


async def gaps(
    connection: Connection, organization_id: str, currency: Currency, whole: Period
) -> list[Period]:
    """The time within `whole` that no closing covers, in order. What was cancelled counts as covered: it is billed
    again when somebody asks for it."""
    rows = await connection.fetch(
        "select lower(gap) as starts_at, upper(gap) as ends_at from unnest(tstzmultirange(tstzrange($3, $4))"
        " - (select coalesce(range_agg(tstzrange(starts_at, ends_at)), '{}') from closing_span"
        "    where organization_id = $1 and currency = $2)) as gap order by 1",
        *(organization_id, currency, whole.start, whole.end),
    )
    return [Period(row["starts_at"], row["ends_at"]) for row in rows]


class Past(NamedTuple):
    """Time that is billed. `touched`: it may come to something else now, as it was billed before it was over, or
    before something that counts in it was made; or what it came to is still to be taken into account."""

    period: Period
    touched: bool


async def past(
    connection: Connection, organization_id: str, currency: Currency, without: Sequence[int] = ()
) -> list[Past]:
    """All billed time, in order, also what was cancelled and not billed again; but not by those of `without`."""
    rows = await connection.fetch(
        "select span.starts_at, span.ends_at, carried or closed_at < span.ends_at or exists (select from subscription"
        "   where subscription.organization_id = $1 and created_at > closed_at"
        "   and subscription.starts_at < span.ends_at) or exists (select from token_pack"
        "   where token_pack.organization_id = $1 and created_at > closed_at"
        "   and token_pack.starts_at >= span.starts_at and token_pack.starts_at < span.ends_at)"
        " or exists (select from adjustment where adjustment.organization_id = $1 and created_at > closed_at"
        "   and at >= span.starts_at and at < span.ends_at) as touched"
        " from closing_span span join closing on id = closing_id"
        " where span.organization_id = $1 and span.currency = $2 and replaced_by is null"
        " and id <> all($3::bigint[]) order by span.starts_at",
        *(organization_id, currency, list(without)),
    )
    return [Past(Period(row["starts_at"], row["ends_at"]), row["touched"]) for row in rows]


async def cancelled(
    connection: Connection, payer_id: str, currency: Currency, period: Period
) -> list[tuple[int, Span]]:
    """Closings of this payer whose invoice was cancelled and not made again, and that share time with `period`: each
    with its spans."""
    rows = await connection.fetch(
        "select id, organization_id, starts_at, ends_at from closing join closing_span on closing_id = id"
        " where id in (select closing_id from closing_span join closing on id = closing_id"
        "   where payer_id = $1 and closing.currency = $2 and cancelled and replaced_by is null"
        "   and tstzrange(starts_at, ends_at) && tstzrange($3, $4))"
        " order by organization_id, starts_at",
        *(payer_id, currency, period.start, period.end),
    )
    return [
        (row["id"], Span(row["organization_id"], Period(row["starts_at"], row["ends_at"]))) for row in rows
    ]


async def covered(
    connection: Connection,
    organization_id: str,
    currency: Currency,
    span: Period,
    without: Sequence[int] = (),
) -> list[Covered]:
    """What was billed of the usage of this time, by day, by all closings that count but those of `without`."""
    rows = await connection.fetch(
        "select min(span_start) as span_start, starts_at, project_id, model, sum(requests)::bigint as requests,"
        " sum(tokens)::bigint as tokens, sum(price_nano)::bigint as price_nano"
        " from invoice_usage join closing on id = closing_id"
        " where organization_id = $1 and currency = $2 and starts_at >= $3 and starts_at < $4 and replaced_by is null"
        " and closing_id <> all($5::bigint[]) group by starts_at, project_id, model order by 2, 3, 4",
        *(organization_id, currency, span.start, span.end, list(without)),
    )
    return [Covered(organization_id, *row) for row in rows]


async def covered_by(connection: Connection, invoice_id: str) -> list[Covered]:
    """The usage that this invoice bills, by day; of a draft none yet."""
    rows = await connection.fetch(
        "select organization_id, span_start, starts_at, project_id, model, requests, tokens, price_nano"
        " from invoice_usage join closing on id = closing_id where invoice_id = $1"
        " order by starts_at, organization_id, project_id, model",
        invoice_id,
    )
    return [Covered(*row) for row in rows]


class Billed(NamedTuple):
    """Lines of one kind, added up: what was billed of a span so far. `project_name` is what one of them calls it."""

    kind: LineKind
    project: str | None
    project_name: str | None
    model: str | None
    net: Decimal


async def billed(
    connection: Connection,
    organization_id: str,
    currency: Currency,
    span: Period,
    without: Sequence[int] = (),
) -> list[Billed]:
    """By all closings that count but those of `without`. Credit notes change nothing here: who gives something back
    does not ask for it again."""
    rows = await connection.fetch(
        "select line.kind, project, max(project_name), model, sum(line.net) as net from invoice_line line"
        " join closing on closing.invoice_id = line.invoice_id"
        " where organization_id = $1 and currency = $2 and span_start >= $3 and span_start < $4"
        " and replaced_by is null and closing.id <> all($5::bigint[]) group by line.kind, project, model",
        *(organization_id, currency, span.start, span.end, list(without)),
    )
    return [Billed(*row) for row in rows]


async def close(
    connection: Connection,
    payer_id: str,
    currency: Currency,
    invoice_id: str | None,
    *,
    spans: Iterable[Span],
    usage: Iterable[Covered],
    at: datetime,
    replaces: Sequence[int] = (),
    carried: Iterable[tuple[str, datetime]] = (),
) -> None:
    """Writes down that this time and this usage are billed, by this invoice or (None) with nothing to pay.

    `carried`: organizations and starts of spans, old or new, that later invoices must look at again.
    Raises asyncpg.ExclusionViolationError where any of the time is billed already.
    """
    number = await connection.fetchval(
        "insert into closing (payer_id, currency, invoice_id, closed_at) values ($1, $2, $3, $4) returning id",
        *(payer_id, currency, invoice_id, at),
    )
    await connection.execute(
        "update closing set replaced_by = $1 where id = any($2::bigint[])", number, list(replaces)
    )
    await connection.executemany(
        "insert into closing_span (closing_id, organization_id, organization_no, currency, starts_at, ends_at)"
        " values ($1, $2, (select no from organization where id = $2), $3, $4, $5)",
        [(number, span.organization_id, currency, span.period.start, span.period.end) for span in spans],
    )
    await connection.executemany(
        "update closing_span set carried = true where organization_id = $1 and starts_at = $2 and currency = $3"
        " and not carried",
        [(organization_id, start, currency) for organization_id, start in carried],
    )
    await connection.copy_records_to_table(
        "invoice_usage",
        records=[(number, *each) for each in usage],
        columns=("closing_id", *Covered._fields),
    )


async def cancel(connection: Connection, invoice_id: str) -> None:
    """The time of this invoice may be billed again, if somebody asks for it."""
    await connection.execute(
        "update closing_span set cancelled = true where not cancelled"
        " and closing_id = (select id from closing where invoice_id = $1)",
        invoice_id,
    )
