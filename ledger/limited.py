"""Who in an organization is held to limits of its own, beside those of the plan."""

from typing import Literal, NamedTuple

from ledger.database import Connection
from ledger.limits import Limits


class Limited(NamedTuple):
    kind: Literal["project", "key", "member"]
    id: str
    limits: Limits


async def limited(connection: Connection, organization_id: str) -> list[Limited]:
    """Projects, then keys, then members; also those that are no longer used."""
    rows = await connection.fetch(
        "select 1 as place, 'project' as kind, id, limits from project where organization_id = $1 and limits <> '{}'"
        " union all select 2, 'key', id, limits from api_key where organization_id = $1 and limits <> '{}'"
        " union all select 3, 'member', id, limits from member where organization_id = $1 and limits <> '{}'"
        " order by place, id",
        organization_id,
    )
    return [Limited(row["kind"], row["id"], Limits.model_validate(row["limits"])) for row in rows]
