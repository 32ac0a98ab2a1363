"""`tollkeeper keys create`: an API key, shown once."""

import argparse
import sys
from collections.abc import Mapping

from config.settings import Settings
from ledger import api_keys
from ledger.announcements import announce
from ledger.database import DatabaseUnavailable, close_pool, open_pool, transaction
from ledger.errors import LedgerError
from ledger.keys import KeyHasher
from proxy.pipeline import RedisPipeline
from runtime.errors import CommandError, require_stores
from runtime.vault import with_secrets

ACTOR = "command line"


def options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and print it, once")
    create.add_argument("--organization", required=True, metavar="ID")
    create.add_argument("--name", required=True, metavar="NAME", help="what people call it")
    create.add_argument("--project", metavar="ID", help="the cost centre that its usage counts for")


async def command(settings: Settings, options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    require_stores(settings)
    stores, secret = settings.stores, with_secrets(settings, generate=False).secrets.key_secret
    if secret is None:
        raise CommandError("TOLLKEEPER_KEY_SECRET is not set; it must be the one the proxies use")
    assert stores.database_url is not None
    assert stores.redis_url is not None
    made = KeyHasher(secret.get_secret_value().encode()).make()
    pool = await open_pool(stores.database_url.get_secret_value(), size=1)
    try:
        async with transaction(pool) as connection:
            await api_keys.create(
                connection, ACTOR, options.organization, made, name=options.name, project_id=options.project
            )
    except (LedgerError, DatabaseUnavailable) as error:
        raise CommandError(str(error)) from None
    finally:
        await close_pool(pool)
    async with RedisPipeline.opened(stores.redis_url.get_secret_value(), timeout=0.5) as redis:
        await announce(redis, options.organization)
    sys.stdout.write(made.secret + "\n")
    return 0
