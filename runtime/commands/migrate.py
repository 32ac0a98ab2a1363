"""`tollkeeper migrate`: the database schema, brought up to date."""

import argparse
import logging
from collections.abc import Mapping

import asyncpg

import ledger.migrations
from config.settings import Settings
from runtime.errors import CommandError

log = logging.getLogger(__name__)


async def command(settings: Settings, _options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    url = settings.stores.database_url
    if url is None:
        raise CommandError("DATABASE_URL is not set, and no `tollkeeper up` runs on this data directory")
    try:
        names = await ledger.migrations.migrate(url.get_secret_value())
    except (OSError, asyncpg.PostgresError, ledger.migrations.MigrationError) as error:
        raise CommandError(f"the schema cannot be brought up to date: {error}") from None
    log.info("schema is up to date; migrations run now: %s", ", ".join(names) or "none")
    return 0
