"""The list of archived files, kept beside the rows that are left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ledger.database import Connection
from ledger.periods import Period

Sums = Mapping[str, tuple[int, str]]
"""Of each column: how many values are not null, and what they add up to, as a decimal string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of rows of one UTC month, by time and request. `file` is its name in the store, `size` in bytes."""

    month: date
    part: int
    file: str
    rows: int
    first_at: datetime
    last_at: datetime
    sums: Sums
    size: int
    sha256: bytes


async def overlapping(connection: Connection, start: datetime | None, end: datetime | None) -> list[Part]:
    """Those with rows in this time, which is open where None is given; in the order of time."""
    rows = await connection.fetch(
        "select month, part, file, rows, first_at, last_at, sums, bytes as size, sha256 from usage_archive"
        " where ($1::timestamptz is null or last_at >= $1) and ($2::timestamptz is null or first_at < $2)"
        " order by month, part",
        *(start, end),
    )
    return [Part(**dict(row)) for row in rows]


async def count(connection: Connection, month: date) -> int:
    return int(await connection.fetchval("select count(*) from usage_archive where month = $1", month))


async def enter(connection: Connection, part: Part) -> None:
    await connection.execute(
        "insert into usage_archive (month, part, file, rows, first_at, last_at, sums, bytes, sha256)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(part.month, part.part, part.file, part.rows, part.first_at, part.last_at),
        *(dict(part.sums), part.size, part.sha256),
    )


async def unbilled(connection: Connection, period: Period, aftermath: timedelta) -> Sequence[str]:
    """Organizations with usage of a price in hours of this time that no closing touches, though one is still to come:
    they had a plan of its currency by then, ended less than `aftermath` before. Other usage nobody will ever bill."""
    rows = await connection.fetch(
        "select distinct organization_id from usage_hour used"
        " where starts_at >= $1 and starts_at < $2 and price_nano <> 0"
        " and exists (select from subscription held join plan on plan.id = plan_id"
        "   where held.organization_id = used.organization_id and plan.currency = used.currency"
        "   and held.starts_at < used.starts_at + interval '1 hour'"
        "   and (held.ends_at is null or held.ends_at > used.starts_at - $3::interval))"
        " and not exists (select from closing_span span where span.organization_id = used.organization_id"
        "   and span.currency = used.currency"
        "   and span.starts_at < used.starts_at + interval '1 hour' and span.ends_at > used.starts_at)"
        " order by 1",
        *(period.start, period.end, aftermath),
    )
    return [row["organization_id"] for row in rows]
