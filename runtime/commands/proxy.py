"""`tollkeeper proxy`: one process of the proxy."""

import argparse
from collections.abc import Mapping

from config.settings import Settings
from proxy.app import create_app
from runtime import ports
from runtime.errors import require_stores
from runtime.realtime import RealtimeProtocol
from runtime.serve import serve
from runtime.vault import with_secrets


async def command(settings: Settings, _options: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    require_stores(settings)
    server = settings.server
    app = create_app(with_secrets(settings, generate=False))
    listener = ports.listen(server.proxy_host, server.proxy_port)
    # Relayed answers bring the upstream's own date.
    await serve(
        app,
        listener,
        grace_seconds=server.shutdown_grace_seconds,
        date_header=False,
        websockets=RealtimeProtocol,
        on_stop=app.stop,
    )
    return 0
