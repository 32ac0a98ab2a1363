"""A job runs once at a time over all workers: a lock of its name in Postgres, which ends with its session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from zlib import crc32

_LOCK_CLASS = 0x6A6F62  # "job"


class Session(Protocol):
    """One session of Postgres; its statements go one after the other."""

    async def fetch(self, query: str, /, *args: Any) -> Any: ...


@asynccontextmanager
async def alone(session: Session, name: str) -> AsyncIterator[bool]:
    """Whether the lock is held now; not if the job runs elsewhere. One session must not ask twice at once.

    Where the session is lost meanwhile, so is the lock: giving it up then raises what the session raises.
    """
    number = crc32(name.encode()) - 2**31
    (row,) = await session.fetch("select pg_try_advisory_lock($1, $2) as held", _LOCK_CLASS, number)
    if not row["held"]:
        yield False
        return
    try:
        yield True
    finally:
        await session.fetch("select pg_advisory_unlock($1, $2)", _LOCK_CLASS, number)
