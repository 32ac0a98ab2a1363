"""What organizations keep upstream, in bytes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.database import Connection


class Stored(NamedTuple):
    """An object that takes room upstream. `within`: what it goes with. `expires_at`: unix seconds, None for never."""

    id: str
    kind: str
    bytes: int
    within: str | None = None
    expires_at: int | None = None


class Freed(NamedTuple):
    """An object that is no more, nor what was within it."""

    id: str
    kind: str


class Teller(NamedTuple):
    """Whose record tells of it: its organization, project, upstream, id and time, and its place in the stream."""

    organization_id: str
    project_id: str | None
    upstream: str
    request_id: str
    at: datetime
    place: int | None


async def store(connection: Connection, teller: Teller, objects: Sequence[Stored]) -> None:
    """Enters what is kept now. What another owns, or was deleted already, is left as it is."""
    await connection.executemany(
        "insert into upstream_object"
        " (organization_id, project_id, upstream, request_id, created_at, place, id, kind, bytes, within, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, to_timestamp($11::bigint))"
        " on conflict (id) do update set bytes = excluded.bytes, within = excluded.within,"
        " expires_at = excluded.expires_at, place = excluded.place"
        " where upstream_object.organization_id = excluded.organization_id and upstream_object.bytes = 0"
        " and upstream_object.deleted_at is null",
        [(*teller, *each) for each in objects],
    )


async def free(connection: Connection, teller: Teller, objects: Sequence[Freed]) -> None:
    """Notes what was deleted, also where the record that brings it is stored only later."""
    await connection.executemany(
        "insert into upstream_object"
        " (organization_id, project_id, upstream, request_id, created_at, deleted_at, deleted_place, id, kind)"
        " values ($1, $2, $3, $4, $5, $5, $6, $7, $8)"
        " on conflict (id) do update set deleted_at = excluded.deleted_at, deleted_place = excluded.deleted_place"
        " where upstream_object.organization_id = excluded.organization_id and upstream_object.deleted_at is null",
        [(*teller, *each) for each in objects],
    )
    await connection.execute(
        "update upstream_object set deleted_at = $2, deleted_place = $3"
        " where organization_id = $1 and within = any($4::text[]) and deleted_at is null",
        *(teller.organization_id, teller.at, teller.place, [each.id for each in objects]),
    )


async def kept(connection: Connection, organization_id: str, at: datetime) -> int:
    """Bytes kept at `at`, of all that the ledger was told."""
    found = await connection.fetchval(
        "select coalesce(sum(bytes), 0)::bigint from upstream_object where organization_id = $1 and bytes > 0"
        " and (expires_at is null or expires_at > $2) and deleted_at is null",
        *(organization_id, at),
    )
    return int(found)


async def total(
    connection: Connection,
    organization_id: str,
    at: datetime,
    place: int,
    besides: Collection[str],
    timeout: float,
) -> int:
    """Bytes kept at `at`, of what was told up to that place in the stream; without `besides`, and what is within."""
    found = await connection.fetchval(
        "select coalesce(sum(bytes), 0)::bigint from upstream_object where organization_id = $1 and bytes > 0"
        " and (expires_at is null or expires_at > $2) and coalesce(place, 0) <= $3"
        " and (deleted_at is null or deleted_place > $3)"
        " and id <> all($4::text[]) and (within is null or within <> all($4::text[]))",
        *(organization_id, at, place, list(besides)),
        timeout=timeout,
    )
    return int(found)
