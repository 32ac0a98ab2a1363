"""Checks of Postgres and of Redis or Valkey."""

import asyncio
import time

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

import ledger.migrations
from config.settings import Settings
from runtime.doctor.finding import Finding, bad, good, odd

SECONDS = 5.0
OLDEST_POSTGRES = 140000
CLOCK_TOLERANCE = 1.0  # seconds between the stores' clocks and ours
UP = "start everything with `tollkeeper up`, or set {}"


async def stores(settings: Settings) -> list[Finding]:
    return [*await _postgres(settings), *await _redis(settings)]


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
        return [bad("Postgres", _reason(error), "check DATABASE_URL and that the server runs")]


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


async def _redis(settings: Settings) -> list[Finding]:
    url = settings.stores.redis_url
    if url is None:
        return [odd("Redis", "nothing runs on this data directory", UP.format("REDIS_URL"))]
    try:
        async with Redis.from_url(
            url.get_secret_value(),
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            decode_responses=True,
        ) as redis:
            return await _look_into_redis(redis)
    except (RedisError, OSError, ValueError) as error:
        return [bad("Redis", _reason(error), "check REDIS_URL and that the server runs")]


async def _look_into_redis(redis: Redis) -> list[Finding]:
    began = time.monotonic()
    seconds, microseconds = await redis.time()
    round_trip = time.monotonic() - began
    skew = abs(seconds + microseconds / 1e6 - time.time())
    info = await redis.info()
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version", info.get("redis_version", "unknown"))
    findings = [good("Redis", f"{name} {version}, {round_trip * 1000:.1f} ms away")]
    if skew > CLOCK_TOLERANCE:
        findings.append(odd("clock of Redis", f"{skew:.1f} s from ours", "let NTP set both clocks"))
    if info.get("maxmemory_policy") != "noeviction":
        found = f"maxmemory-policy {info.get('maxmemory_policy')}"
        findings.append(
            bad("Redis", found, "set it to noeviction: an evicted counter is a limit that is lost")
        )
    if not int(info.get("aof_enabled", 0)):
        remedy = "set appendonly yes: holds and records not yet in Postgres are lost when it restarts"
        findings.append(odd("Redis", "keeps no append-only file", remedy))
    return findings


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
