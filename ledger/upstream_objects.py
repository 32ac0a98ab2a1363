"""Objects that were created upstream, and whose they are."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.database import Connection


class UpstreamObject(NamedTuple):
    """`request_id` is the call that brought it."""

    id: str
    kind: str
    organization_id: str
    project_id: str | None
    request_id: str
    created_at: datetime


async def store(connection: Connection, objects: Iterable[UpstreamObject]) -> None:
    """Enters objects; one that is known keeps its owner."""
    columns = list(zip(*sorted(objects), strict=True))
    if columns:
        await connection.execute(
            "insert into upstream_object (id, kind, organization_id, project_id, request_id, created_at)"
            " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])"
            " on conflict do nothing",
            *columns,
        )


async def owned(connection: Connection, organization_id: str, ids: Collection[str]) -> set[str]:
    """Those of `ids` that belong to the organization."""
    rows = await connection.fetch(
        "select id from upstream_object where organization_id = $1 and id = any($2::text[])",
        organization_id,
        list(ids),
    )
    return {row["id"] for row in rows}
