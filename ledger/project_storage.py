"""What each project keeps upstream, as it was counted last."""

from datetime import datetime

from ledger.database import Connection
from ledger.records import Instant, Record

_LOCK = 0x73746F72  # "stor": two counts at once would each take away what the other found


class ProjectStorage(Record):
    """`project_id` is null for what belongs to no project. `objects` are those that take room."""

    project_id: str | None
    bytes: int
    objects: int
    counted_at: Instant


async def count(connection: Connection, at: datetime, *, timeout: float) -> int:
    """Counts for all organizations what is there at `at`; how many projects keep something. In a transaction.

    A count that is older than the one before changes nothing.
    """
    await connection.execute("select pg_advisory_xact_lock($1)", _LOCK, timeout=timeout)
    await connection.execute(
        "insert into project_storage as known (organization_id, project_id, bytes, objects, counted_at)"
        " select organization_id, coalesce(project_id, ''), sum(bytes), count(*), $1 from upstream_object"
        " where bytes > 0 and (expires_at is null or expires_at > $1) and deleted_at is null"
        " group by organization_id, coalesce(project_id, '')"
        " on conflict (organization_id, project_id) do update set bytes = excluded.bytes,"
        " objects = excluded.objects, counted_at = excluded.counted_at where known.counted_at <= excluded.counted_at",
        at,
        timeout=timeout,
    )
    await connection.execute("delete from project_storage where counted_at < $1", at)
    return int(await connection.fetchval("select count(*) from project_storage"))


async def of_organization(connection: Connection, organization_id: str) -> list[ProjectStorage]:
    """Those that keep something, the largest first."""
    rows = await connection.fetch(
        "select nullif(project_id, '') as project_id, bytes, objects, counted_at from project_storage"
        " where organization_id = $1 order by bytes desc, project_id",
        organization_id,
    )
    return [ProjectStorage.of(row) for row in rows]
