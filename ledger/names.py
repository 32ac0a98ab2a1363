"""What people call the objects that records know by their ids."""

from collections.abc import Collection

from ledger.database import Connection


async def names_of(connection: Connection, ids: Collection[str | None]) -> dict[str, str]:
    """Of organizations, projects and API keys; without those that there are none of."""
    rows = await connection.fetch(
        "select id, name from organization where id = any($1::text[])"
        " union all select id, name from project where id = any($1::text[])"
        " union all select id, name from api_key where id = any($1::text[])",
        list(ids),
    )
    return {row["id"]: row["name"] for row in rows}
