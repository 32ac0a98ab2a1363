"""`tollkeeper up`: everything on this machine."""

import argparse
import asyncio
import logging
import os
from collections.abc import Mapping

from config.settings import Settings
from runtime import ports
from runtime.engines.lock import Lock
from runtime.engines.pair import Engines
from runtime.exits import stop_on_signal
from runtime.first_start import first_start
from runtime.parts import Parts
from runtime.running import Running
from runtime.supervisor import Supervisor
from runtime.vault import make_data_dir, with_secrets

SIMULATED_KEY = "sk-simulated"  # the simulated upstream takes any

log = logging.getLogger(__name__)


async def command(settings: Settings, _options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Runs until SIGTERM or SIGINT; gives the exit code.

    Raises the one-line errors of what could not be started, once all that was started has been stopped.
    """
    make_data_dir(settings.data_dir)
    lock = Lock(settings.data_dir / "up.lock", seconds=0)
    supervisor = Supervisor()
    with stop_on_signal() as stop:
        machine = _Machine(with_secrets(settings, generate=True), dict(environ), supervisor)
        stopped = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(machine.start())
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                print(starting.result(), flush=True)  # noqa: T201 - the one line that scripts wait for
                await stopped
            log.info("stopping")
        finally:
            starting.cancel()
            stopped.cancel()
            await asyncio.wait({starting, stopped})
            await supervisor.stop()
            machine.close()
            Running.withdraw(settings.data_dir)
            lock.release()
    return 0


class _Machine:
    """What one `up` holds, and the order in which it starts."""

    def __init__(self, settings: Settings, environ: dict[str, str], supervisor: Supervisor) -> None:
        server = settings.server
        self._proxy = ports.reserve(server.proxy_host, server.proxy_port, option="--proxy-port")
        self._console = ports.reserve(server.console_host, server.console_port, option="--console-port")
        chosen = {"proxy_port": ports.number(self._proxy), "console_port": ports.number(self._console)}
        self._settings = settings.model_copy(update={"server": server.model_copy(update=chosen)})
        self._environ = environ
        self._supervisor = supervisor

    async def start(self) -> str:
        """Starts all and waits until all answer; gives the ready line."""
        settings, server = self._settings, self._settings.server
        engines = Engines(settings)
        await engines.start(self._supervisor)
        key = await first_start(settings, engines.database_url)
        found = {**engines.environment(), **_own_environment(settings)}
        if not settings.upstream.chosen:
            found |= await self._simulate_upstream()
        parts = Parts(settings, {**self._environ, **found})
        await self._supervisor.start(parts.background("drain"), parts.background("worker"))
        await self._supervisor.start(*parts.proxies(), parts.console())
        proxy = ports.url(server.proxy_host, server.proxy_port)
        console = ports.url(server.console_host, server.console_port)
        Running(pid=os.getpid(), proxy=proxy, console=console, environment=found).publish(settings.data_dir)
        token = settings.secrets.admin_token
        admin = token.get_secret_value() if token is not None else ""
        return f"ready proxy={proxy} console={console} key={key} admin={admin}"

    async def _simulate_upstream(self) -> dict[str, str]:
        """Starts it; gives the settings that lead to it."""
        with ports.reserve("127.0.0.1", 0, option="OPENAI_BASE_URL") as free:
            port = ports.number(free)
        parts = Parts(self._settings, self._environ)
        await self._supervisor.start(parts.simulated_upstream("127.0.0.1", port))
        log.warning("OPENAI_API_KEY and OPENAI_BASE_URL are not set: answers come from a simulated upstream")
        return {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": SIMULATED_KEY}

    def close(self) -> None:
        self._proxy.close()
        self._console.close()


def _own_environment(settings: Settings) -> dict[str, str]:
    """The settings that `up` decided, for its children: ports that were free, secrets that were made."""
    server, secrets = settings.server, settings.secrets
    environ = {
        "TOLLKEEPER_DATA_DIR": str(settings.data_dir),
        "TOLLKEEPER_PROXY_PORT": str(server.proxy_port),
        "TOLLKEEPER_CONSOLE_PORT": str(server.console_port),
    }
    if secrets.admin_token is not None:
        environ["TOLLKEEPER_ADMIN_TOKEN"] = secrets.admin_token.get_secret_value()
    if secrets.key_secret is not None:
        environ["TOLLKEEPER_KEY_SECRET"] = secrets.key_secret.get_secret_value()
    return environ
