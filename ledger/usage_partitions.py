"""The monthly partitions of `usage`, cut on UTC months."""

from datetime import UTC, datetime

from ledger.database import Connection
from ledger.periods import Period, month_of

_LOCK = 0x75736167  # "usag"
# From the catalogue's rows: name lookups (to_regclass) may answer from before the lock was taken.
_ATTACHED = (
    "select exists (select from pg_inherits join pg_class on pg_class.oid = inhrelid"
    " where inhparent = 'usage'::regclass and relname = $1)"
)


def partition_name(instant: datetime) -> str:
    """`usage_YYYY_MM`."""
    return f"usage_{instant.astimezone(UTC):%Y_%m}"


async def months(connection: Connection) -> list[Period]:
    """The months that have a partition, in order."""
    rows = await connection.fetch(
        "select relname from pg_inherits join pg_class on pg_class.oid = inhrelid"
        " where inhparent = 'usage'::regclass order by relname"
    )
    return [
        month_of(datetime.strptime(row["relname"], "usage_%Y_%m").replace(tzinfo=UTC), "UTC") for row in rows
    ]


async def ensure_month(connection: Connection, instant: datetime) -> bool:
    """Creates the partition that holds `instant` if it is absent; says whether it did. Safe when raced.

    Raises ValueError for a naive instant.
    """
    month = month_of(instant, "UTC")
    name = partition_name(instant)
    if await connection.fetchval(_ATTACHED, name):
        return False
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval(_ATTACHED, name):
            return False
        # Attaching does not stop those who read and write the other months; `create ... partition of` does.
        await connection.execute(f"create table {name} (like usage including defaults including constraints)")
        await connection.execute(
            f"alter table usage attach partition {name}"
            f" for values from ('{month.start.isoformat()}') to ('{month.end.isoformat()}')"
        )
    return True
