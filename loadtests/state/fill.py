"""An installation that has been in use for a year: made by Postgres itself, out of rows that the product wrote.

Each table is filled with copies of one of its rows, but for the columns named here, so that a new column needs no
change. A month of usage is filled before it is attached and indexed, in one transaction: so little is written twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import asyncpg

from ledger.periods import month_of
from ledger.usage_partitions import partition_name
from loadtests.stand.errors import StandError

_MONTHS: Final = 12
_STATEMENT_SECONDS: Final = 900.0
_COLUMNS: Final = (
    "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped"
    " and attidentity = '' and attgenerated = '' order by attnum"
)


@dataclass(frozen=True)
class Size:
    """How many there are of each. Usage lies in the last twelve months, the present one included."""

    organizations: int
    api_keys: int
    usage: int

    @property
    def bytes(self) -> int:
        """What that takes on the disk, about, while it is made."""
        return 500 * self.usage + 2000 * (self.api_keys + self.organizations)


async def fill(database_url: str, size: Size, organization_id: str, now: datetime) -> None:
    """Adds that much. The organization is what others are copied from: it has a key, a subscription and one usage row.

    Nothing else may write meanwhile. Raises StandError where the organization has none.
    """
    connection = await asyncpg.connect(database_url, timeout=30, command_timeout=_STATEMENT_SECONDS)
    try:
        made = await connection.fetchval(
            "select count(*) from usage where organization_id = $1", organization_id
        )
        if not made:
            raise StandError("the organization to copy has no usage")
        await _organizations(connection, size, organization_id)
        await _usage(connection, size, organization_id, now)
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close(timeout=30)


async def _organizations(connection: asyncpg.Connection, size: Size, organization_id: str) -> None:
    like = {"organization": "id", "subscription": "organization_id", "api_key": "organization_id"}
    names = _id("org", "number")
    await _copy(
        *(connection, "organization", like, organization_id, size.organizations),
        {"id": names, "name": "'Organization ' || number"},
    )
    number_of = f"(select no from organization as made where made.id = {names})"
    await _copy(
        *(connection, "subscription", like, organization_id, size.organizations),
        {"id": _id("sub", "number"), "organization_id": names, "organization_no": number_of},
    )
    await _copy(
        *(connection, "api_key", like, organization_id, size.api_keys),
        {
            "id": _id("key", "number"),
            "organization_id": _id("org", f"number % {size.organizations}"),
            "digest": "sha256(convert_to('key of nobody ' || number, 'UTF8'))",
        },
    )


async def _copy(
    connection: asyncpg.Connection,
    name: str,
    like: Mapping[str, str],
    organization_id: str,
    count: int,
    changed: Mapping[str, str],
) -> None:
    columns = [row["attname"] for row in await connection.fetch(_COLUMNS, name)]
    values = ", ".join(changed.get(column, f"sample.{column}") for column in columns)
    await connection.execute(
        f"insert into {name} ({', '.join(columns)}) select {values}"
        f" from (select * from {name} where {like[name]} = $1 limit 1) as sample, generate_series(0, $2 - 1) as number",
        organization_id,
        count,
    )


async def _usage(connection: asyncpg.Connection, size: Size, organization_id: str, now: datetime) -> None:
    columns = [row["attname"] for row in await connection.fetch(_COLUMNS, "usage")]
    await connection.execute(
        "create temporary table sample as select * from usage where organization_id = '"
        + organization_id
        + "' limit 1"
    )
    months = list(_months(now))
    # The present month is made anew like the others; the product had begun it.
    await connection.execute(f"drop table {partition_name(months[-2])}")
    each = size.usage // (len(months) - 1)
    for index, (start, end) in enumerate(pairwise(months)):
        changed = {
            "request_id": _id("req", "number"),
            "occurred_at": f"'{start.isoformat()}'::timestamptz + (number - {index * each}) *"
            f" ('{min(end, now).isoformat()}'::timestamptz - '{start.isoformat()}'::timestamptz) / {max(1, each)}",
            "organization_id": _id("org", f"number % {size.organizations}"),
            "key_id": _id("key", f"number % {size.api_keys}"),
            "place": "null",
        }
        values = ", ".join(changed.get(column, f"sample.{column}") for column in columns)
        name = partition_name(start)
        async with connection.transaction():
            await connection.execute(
                f"create table {name} (like usage including defaults including constraints)"
            )
            await connection.execute(
                f"insert into {name} ({', '.join(columns)}) select {values}"
                f" from sample, generate_series({index * each}::bigint, {(index + 1) * each - 1}) as number"
            )
            await connection.execute(
                f"alter table usage attach partition {name}"
                f" for values from ('{start.isoformat()}') to ('{end.isoformat()}')"
            )


def _months(now: datetime) -> list[datetime]:
    """The beginnings of the last twelve, the present one included, and of the next."""
    month = month_of(now, "UTC")
    found = [month.end, month.start]
    while len(found) <= _MONTHS:
        before = found[-1].replace(day=1)
        year, number = (before.year, before.month - 1) if before.month > 1 else (before.year - 1, 12)
        found.append(datetime(year, number, 1, tzinfo=UTC))
    return found[::-1]


def _id(prefix: str, number: str) -> str:
    """In SQL; shorter than the product's own, for the sake of the disk."""
    return f"'{prefix}_' || to_hex({number})"
