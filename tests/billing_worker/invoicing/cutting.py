"""Connections of a program that is killed: after so many statements nothing more is sent, and nothing cleaned up."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from ledger.database import Pool, prepare


class Killed(BaseException):
    """The program is gone."""


@dataclass
class Fuse:
    """Lets `left` statements pass (None: all), then kills. `passed` counts them."""

    left: int | None
    passed: int = 0


async def cutting_pool(database_url: str, fuse: Fuse) -> Pool:
    class Cutting(asyncpg.Connection):
        """Statements that a pool sends on its own, to clean a connection, do not count."""

        def _pass(self) -> None:
            fuse.passed += 1
            if fuse.left is not None and fuse.passed >= fuse.left:
                self.terminate()
                raise Killed

        def _check(self) -> None:
            if fuse.left is not None and fuse.passed >= fuse.left:
                raise Killed

        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
            if args:
                return str(await super().execute(query, *args, timeout=timeout))
            self._check()
            done = await super().execute(query, timeout=timeout)
            self._pass()
            return str(done)

        async def _execute(self, *args: Any, **options: Any) -> Any:
            self._check()
            done = await super()._execute(*args, **options)  # type: ignore[misc]
            self._pass()
            return done

        async def _executemany(self, *args: Any, **options: Any) -> Any:
            self._check()
            done = await super()._executemany(*args, **options)  # type: ignore[misc]
            self._pass()
            return done

        async def _copy_in_records(self, *args: Any, **options: Any) -> Any:
            self._check()
            done = await super()._copy_in_records(*args, **options)  # type: ignore[misc]
            self._pass()
            return done

        async def reset(self, *, timeout: float | None = None) -> None:
            fuse.passed -= 1
            await super().reset(timeout=timeout)

    return await asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=4,
        connection_class=Cutting,
        init=prepare,
        server_settings={"timezone": "UTC"},
    )
