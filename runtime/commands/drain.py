"""`tollkeeper drain`: usage records from Redis to Postgres."""

import argparse
from collections.abc import Mapping

from config.settings import Settings
from proxy.record.drain import run
from runtime.errors import require_stores
from runtime.exits import stop_on_signal


async def command(settings: Settings, _options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    require_stores(settings)
    with stop_on_signal() as stop:
        await run(settings, stop)
    return 0
