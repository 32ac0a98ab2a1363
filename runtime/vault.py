"""What an installation generates once and keeps to itself, in files only its owner may read."""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from config.settings import Secrets, Settings

ADMIN_TOKEN = "admin-token"  # noqa: S105 - the name of the file
KEY_SECRET = "key-secret"  # noqa: S105
DEMO_KEY = "demo-key"


def make_data_dir(path: Path) -> None:
    """Makes the data directory. The engines' own user must pass through it when root runs them."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0 and path.stat().st_uid == 0:
        path.chmod(0o711)


class Vault:
    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "secrets"

    def read(self, name: str) -> str | None:
        try:
            return (self._directory / name).read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None

    def write(self, name: str, value: str) -> None:
        """Durable, all or nothing, mode 0600."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=self._directory)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(descriptor)
        Path(partial).rename(self._directory / name)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def remove(self, name: str) -> None:
        (self._directory / name).unlink(missing_ok=True)

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """The value kept under `name`, made now if there is none."""
        if (value := self.read(name)) is None:
            value = make()
            self.write(name, value)
        return value


def with_secrets(settings: Settings, *, generate: bool) -> Settings:
    """The settings with the secrets that the environment left out, from the data directory.

    `generate` makes them where there are none yet; else they stay absent.
    """
    vault = Vault(settings.data_dir)

    def find(given: SecretStr | None, name: str, prefix: str) -> SecretStr | None:
        if given is not None:
            return given
        value = vault.keep(name, lambda: prefix + secrets.token_urlsafe(32)) if generate else vault.read(name)
        return None if value is None else SecretStr(value)

    found = Secrets.model_construct(
        admin_token=find(settings.secrets.admin_token, ADMIN_TOKEN, "tk-admin-"),
        key_secret=find(settings.secrets.key_secret, KEY_SECRET, ""),
    )
    return settings.model_copy(update={"secrets": found})
