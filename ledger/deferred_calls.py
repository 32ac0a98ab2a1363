"""Calls whose usage is known later: their work goes on at the provider after they were answered."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.database import Connection


class DeferredCall(NamedTuple):
    """`id` and `kind` are the provider's for the work; `work` is what its usage record will be made of."""

    request_id: str
    occurred_at: datetime
    id: str
    kind: str
    organization_id: str
    upstream: str
    work: bytes


class Due(NamedTuple):
    request_id: str
    begun_at: datetime
    work: bytes


async def store(connection: Connection, calls: Iterable[DeferredCall]) -> None:
    """Enters calls; one that is known, or whose usage is stored already, is left as it is."""
    columns = list(zip(*sorted(calls), strict=True))
    if columns:
        await connection.execute(
            "insert into deferred_call (request_id, occurred_at, id, kind, organization_id, upstream, work)"
            " select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],"
            " $7::bytea[]) as new (request_id, occurred_at, id, kind, organization_id, upstream, work)"
            " where not exists (select from usage where usage.request_id = new.request_id"
            " and usage.occurred_at = new.occurred_at)"
            " on conflict do nothing",
            *columns,
        )


async def settled(connection: Connection, request_ids: Sequence[str]) -> None:
    """The usage of these is stored: nothing is left to wait for."""
    await connection.execute(
        "delete from deferred_call where request_id = any($1::text[])", list(request_ids)
    )


async def due(connection: Connection, at: datetime, most: int) -> list[Due]:
    """Those to be looked at by now, longest waiting first."""
    rows = await connection.fetch(
        "select request_id, begun_at, work from deferred_call where look_at <= $1 order by look_at limit $2",
        at,
        most,
    )
    return [Due(**row) for row in rows]


async def all_of(connection: Connection) -> list[Due]:
    """All that is waited for."""
    rows = await connection.fetch("select request_id, begun_at, work from deferred_call")
    return [Due(**row) for row in rows]


async def look_again(connection: Connection, request_id: str, at: datetime) -> None:
    await connection.execute("update deferred_call set look_at = $2 where request_id = $1", request_id, at)
