"""Schema, prices, example plans and the demonstration's key: what every start makes sure of."""

import logging
from datetime import UTC, datetime

import asyncpg

from config.settings import Settings
from ledger.bootstrap import bootstrap
from ledger.database import DatabaseUnavailable, close_pool, open_pool
from ledger.exchange import ExchangeRateError
from ledger.keys import KeyHasher
from ledger.migrations import MigrationError, migrate
from ledger.prices import PriceListError
from runtime.errors import CommandError
from runtime.vault import DEMO_KEY, Vault

log = logging.getLogger(__name__)


async def first_start(settings: Settings, database_url: str) -> str:
    """Brings the ledger up to date; gives the demonstration's API key, the same at every start.

    `settings` hold the secrets. Raises CommandError.
    """
    try:
        for name in await migrate(database_url):
            log.info("migration %s ran", name)
        return await _demo_key(settings, database_url)
    except (OSError, asyncpg.PostgresError, DatabaseUnavailable) as error:
        raise CommandError(f"Postgres: {error}; see `tollkeeper doctor`") from None
    except (MigrationError, PriceListError, ExchangeRateError) as error:
        raise CommandError(str(error)) from None


async def _demo_key(settings: Settings, database_url: str) -> str:
    secret = settings.secrets.key_secret
    if secret is None:
        raise CommandError("TOLLKEEPER_KEY_SECRET is not set")
    vault = Vault(settings.data_dir)
    known = vault.read(DEMO_KEY)
    pool = await open_pool(database_url, size=1)
    try:
        hasher = KeyHasher(secret.get_secret_value().encode())
        made = await bootstrap(pool, hasher, now=datetime.now(UTC), demo_key=known)
    finally:
        await close_pool(pool)
    if made.key is not None:
        vault.write(DEMO_KEY, made.key)
        return made.key
    return known or ""
