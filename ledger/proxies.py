"""The proxy processes that live, as Postgres knows them: also where Redis has lost all it knew."""

from datetime import timedelta

from ledger.database import Connection

# What others have not said since is measured by this process' own last word: after an outage of Postgres, when nobody
# could say anything, nobody is taken for dead by whoever comes back first.
_SAY = """
    with gone as (
        delete from proxy_process
         where name <> $1 and seen_at < (select seen_at from proxy_process where name = $1) - $2::interval
    )
    insert into proxy_process (name) values ($1) on conflict (name) do update set seen_at = now()
"""


async def say(connection: Connection, name: str, silence: timedelta) -> None:
    """This one lives; those that were silent for longer than `silence` do not."""
    await connection.execute(_SAY, name, silence)


async def leave(connection: Connection, name: str) -> None:
    await connection.execute("delete from proxy_process where name = $1", name)


async def names(connection: Connection) -> list[str]:
    rows = await connection.fetch("select name from proxy_process order by name")
    return [row["name"] for row in rows]
