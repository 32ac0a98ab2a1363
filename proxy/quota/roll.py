"""The roll of the proxies, in Postgres: each enters before it admits anything, and then says that it lives."""

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import Final

from ledger import proxies
from ledger.database import DatabaseUnavailable, Pool, reading

_EVERY_SECONDS: Final = 2.0
_SECONDS: Final = 2.0
"""Bounds each word to Postgres."""


class Roll:
    """`silence` is how long another may say nothing until it is taken for dead: as long as holds live without it."""

    def __init__(self, pool: Pool, silence: timedelta) -> None:
        self.name = secrets.token_hex(8)
        self.entered = False
        """Whether the others can know of this one."""
        self._pool = pool
        self._silence = silence

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            with suppress(DatabaseUnavailable):
                await self.say()
            await asyncio.sleep(_EVERY_SECONDS)

    async def say(self) -> None:
        """Raises DatabaseUnavailable."""
        async with reading(self._pool, acquire_seconds=_SECONDS) as connection:
            await proxies.say(connection, self.name, self._silence)
        self.entered = True

    async def names(self) -> list[str]:
        """All that may have calls under way. Raises DatabaseUnavailable."""
        async with reading(self._pool, acquire_seconds=_SECONDS) as connection:
            return await proxies.names(connection)

    async def leave(self) -> None:
        """Nothing is under way here any more. Where Postgres is away, the others find out by themselves."""
        with suppress(DatabaseUnavailable):
            async with reading(self._pool, acquire_seconds=_SECONDS) as connection:
                await proxies.leave(connection, self.name)
