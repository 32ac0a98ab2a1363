"""Both engines, or those of them that the settings do not name."""

import asyncio
from collections.abc import Mapping

from config.settings import Settings
from runtime.engines.postgres import Postgres
from runtime.engines.valkey import Valkey
from runtime.supervisor import Supervisor


class Engines:
    def __init__(self, settings: Settings) -> None:
        self._stores = settings.stores
        self.postgres = Postgres(settings.data_dir) if self._stores.database_url is None else None
        self.valkey = Valkey(settings.data_dir) if self._stores.redis_url is None else None

    async def start(self, supervisor: Supervisor) -> None:
        """Starts what is needed. Raises EngineError, LockedError, ChildError."""
        engines = [engine for engine in (self.postgres, self.valkey) if engine is not None]
        for engine in engines:
            await asyncio.to_thread(engine.prepare)
        if engines:
            await supervisor.start(*(engine.program() for engine in engines))
        if self.postgres is not None:
            await self.postgres.create_database()

    @property
    def database_url(self) -> str:
        if self.postgres is not None:
            return self.postgres.url()
        url = self._stores.database_url
        return url.get_secret_value() if url is not None else ""

    @property
    def redis_url(self) -> str:
        if self.valkey is not None:
            return self.valkey.url()
        url = self._stores.redis_url
        return url.get_secret_value() if url is not None else ""

    def environment(self) -> Mapping[str, str]:
        """The settings that lead to the stores, embedded or not."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
