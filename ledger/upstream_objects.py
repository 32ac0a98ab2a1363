"""Objects that were created upstream: whose they are, and where they lie."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.database import Connection


class UpstreamObject(NamedTuple):
    """`request_id` is the call that brought it, `upstream` the one that keeps it (empty where that is not known)."""

    id: str
    kind: str
    organization_id: str
    project_id: str | None
    request_id: str
    created_at: datetime
    upstream: str


class Place(NamedTuple):
    """Which project of the organization an object belongs to (None: to all of them), and which upstream keeps it."""

    project_id: str | None
    upstream: str


async def store(connection: Connection, objects: Iterable[UpstreamObject]) -> None:
    """Enters objects; one that is known keeps its owner."""
    columns = list(zip(*sorted(objects), strict=True))
    if columns:
        await connection.execute(
            "insert into upstream_object (id, kind, organization_id, project_id, request_id, created_at, upstream)"
            " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],"
            " $7::text[])"
            " on conflict do nothing",
            *columns,
        )


async def newest(
    connection: Connection,
    organization_id: str,
    kind: str,
    before: datetime,
    most: int,
    project_id: str | None = None,
) -> list[tuple[str, Place]]:
    """The organization's objects of a kind that were there at `before`, newest first; where a project is given, its own
    and those of none."""
    rows = await connection.fetch(
        "select id, project_id, upstream from upstream_object"
        " where organization_id = $1 and kind = $2 and created_at <= $3"
        " and ($5::text is null or project_id is null or project_id = $5)"
        " order by created_at desc, id desc limit $4",
        *(organization_id, kind, before, most, project_id),
    )
    return [(row["id"], Place(row["project_id"], row["upstream"])) for row in rows]


async def owned(connection: Connection, organization_id: str, ids: Collection[str]) -> dict[str, Place]:
    """Those of `ids` that belong to the organization."""
    rows = await connection.fetch(
        "select id, project_id, upstream from upstream_object where organization_id = $1 and id = any($2::text[])",
        organization_id,
        list(ids),
    )
    return {row["id"]: Place(row["project_id"], row["upstream"]) for row in rows}
