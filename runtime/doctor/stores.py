"""Checks of Postgres, and with it of Redis or Valkey."""

import asyncio
import time

import asyncpg

import ledger.migrations
from config.settings import Settings
from runtime.doctor.finding import UP, Finding, bad, good, odd, reason
from runtime.doctor.redis_servers import redis

SECONDS = 5.0
OLDEST_POSTGRES = 140000
CLOCK_TOLERANCE = 1.0  # seconds between the stores' clocks and ours


async def stores(settings: Settings) -> list[Finding]:
    return [*await _postgres(settings), *await redis(settings)]


async def _postgres(settings: Settings) -> list[Finding]:
    url = settings.stores.database_url
    if url is None:
        return [odd("Postgres", "nothing runs on this data directory", UP.format("DATABASE_URL"))]
    try:
        async with asyncio.timeout(SECONDS):
            connection = await asyncpg.connect(url.get_secret_value())
            try:
                return await _look_into_postgres(connection)
            finally:
                connection.terminate()
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return [bad("Postgres", reason(error), "check DATABASE_URL and that the server runs")]


async def _look_into_postgres(connection: "asyncpg.Connection[asyncpg.Record]") -> list[Finding]:
    number = int(await connection.fetchval("show server_version_num"))
    version = await connection.fetchval("show server_version")
    skew = abs(float(await connection.fetchval("select extract(epoch from clock_timestamp())")) - time.time())
    findings = [
        good("Postgres", f"version {version}")
        if number >= OLDEST_POSTGRES
        else bad("Postgres", f"version {version}", "use Postgres 14 or newer")
    ]
    if skew > CLOCK_TOLERANCE:
        findings.append(odd("clock of Postgres", f"{skew:.1f} s from ours", "let NTP set both clocks"))
    try:
        pending = await ledger.migrations.pending(connection)
    except ledger.migrations.MigrationError as error:
        return [*findings, bad("schema", str(error), "run the version of tollkeeper that made this schema")]
    if pending:
        return [*findings, bad("schema", f"{len(pending)} migrations pending", "run `tollkeeper migrate`")]
    return [*findings, good("schema", "up to date")]
