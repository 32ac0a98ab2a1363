"""Where a running `up` can be reached, for the commands beside it: a file in the data directory."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from config.settings import Settings, load_settings
from runtime.vault import Vault

NAME = "running"


class Running(BaseModel):
    """`environment` holds the settings that `up` found or generated, as its children got them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    proxy: str
    console: str
    environment: dict[str, str]

    def publish(self, data_dir: Path) -> None:
        Vault(data_dir).write(NAME, self.model_dump_json())

    @classmethod
    def find(cls, data_dir: Path) -> Self | None:
        """What runs on this data directory now, or None."""
        try:
            text = Vault(data_dir).read(NAME)
            found = cls.model_validate_json(text) if text else None
        except (OSError, ValidationError):
            return None
        return found if found is not None and _lives(found.pid) else None

    @staticmethod
    def withdraw(data_dir: Path) -> None:
        Vault(data_dir).remove(NAME)


def with_running(settings: Settings) -> Settings:
    """The settings, completed from the `up` that runs on their data directory, if one does."""
    running = Running.find(settings.data_dir)
    if running is None:
        return settings
    found = load_settings(running.environment)
    stores, ours = settings.stores, found.stores
    return settings.model_copy(
        update={
            "stores": stores.model_copy(
                update={
                    "database_url": stores.database_url or ours.database_url,
                    "redis_url": stores.redis_url or ours.redis_url,
                }
            ),
            "upstream": settings.upstream if settings.upstream.chosen else found.upstream,
            "server": found.server,
            "secrets": found.secrets,
        }
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
