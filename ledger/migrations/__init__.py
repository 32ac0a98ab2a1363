"""The schema's history: files `NNNN_name.sql` beside this one, each run once, in order, forward only."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

import asyncpg

from ledger.database import COMMAND_SECONDS, CONNECT_SECONDS, Connection

LOCK = 0x746F6C6C  # "toll": no two programs migrate one database at once
LOCK_SECONDS = 60
MIGRATION_SECONDS = 6 * 3600
"""Bounds one migration; some go once through all usage that there is."""


class MigrationError(Exception):
    """The database's history is not the one that this program knows, or another is at it. One line that says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `name` is its name without `.sql`; names sort in the order of their numbers."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def known(folder: Traversable | None = None) -> list[Migration]:
    """The migrations that this program brings, in order. Raises MigrationError where two share a number."""
    folder = folder if folder is not None else files(__name__)
    found = [
        Migration(f.name[:-4], f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")
    ]
    found.sort(key=lambda migration: migration.name)
    numbers = [migration.name[:4] for migration in found]
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) != len(numbers):
        raise MigrationError("migrations need file names NNNN_name.sql with numbers of their own")
    return found


async def migrate(database_url: str, migrations: list[Migration] | None = None) -> list[str]:
    """Brings the schema up to date; returns the names of what was run now.

    Safe to call from many programs at once: each migration runs in a transaction of its own under one
    advisory lock, and leaves nothing behind if it fails. Raises MigrationError, or what asyncpg raises where
    Postgres is away or a statement fails.
    """
    wanted = known() if migrations is None else migrations
    connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS, command_timeout=LOCK_SECONDS)
    try:
        done: list[str] = []
        while (name := await _next(connection, wanted)) is not None:
            done.append(name)
        return done
    finally:
        await connection.close(timeout=COMMAND_SECONDS)


async def pending(connection: Connection) -> list[str]:
    """Names of migrations that the database still lacks. Raises MigrationError."""
    if await connection.fetchval("select to_regclass('schema_migration')") is None:
        return [migration.name for migration in known()]
    return [migration.name for migration in await _lacking(connection, known())]


async def _next(connection: Connection, wanted: list[Migration]) -> str | None:
    async with connection.transaction():
        # Held to the end of the transaction and not of the session: this works behind a pooler too.
        try:
            await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
        except TimeoutError as error:
            raise MigrationError("another program has been migrating this database for a while") from error
        await connection.execute(
            "create table if not exists schema_migration (name text primary key, checksum text not null,"
            " applied_at timestamptz not null default now())"
        )
        lacking = await _lacking(connection, wanted)
        if not lacking:
            return None
        await connection.execute(lacking[0].sql, timeout=MIGRATION_SECONDS)
        await connection.execute(
            "insert into schema_migration (name, checksum) values ($1, $2)",
            lacking[0].name,
            lacking[0].checksum,
        )
        return lacking[0].name


async def _lacking(connection: Connection, wanted: list[Migration]) -> list[Migration]:
    applied = {
        row["name"]: row["checksum"] for row in await connection.fetch("select * from schema_migration")
    }
    names = {migration.name for migration in wanted}
    if strange := sorted(set(applied) - names):
        raise MigrationError(f"the database is newer than this program: it has migration {strange[-1]}")
    for migration in wanted:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(f"migration {migration.name} was changed after it ran on this database")
    lacking = [migration for migration in wanted if migration.name not in applied]
    if lacking and applied and lacking[0].name < max(applied):
        raise MigrationError(f"migration {lacking[0].name} comes before {max(applied)}, which ran already")
    return lacking
