"""What a command cannot do."""

from config.settings import Settings


class CommandError(RuntimeError):
    """The message is one line that says what to do."""


def require_stores(settings: Settings) -> None:
    """Raises CommandError unless the settings name both stores."""
    names = (("DATABASE_URL", settings.stores.database_url), ("REDIS_URL", settings.stores.redis_url))
    if missing := [name for name, url in names if url is None]:
        raise CommandError(
            f"{' and '.join(missing)} not set, and nothing runs on {settings.data_dir}; "
            "set them, or start everything with `tollkeeper up`"
        )
