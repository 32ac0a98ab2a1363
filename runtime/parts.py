"""The product's own programs, as children of `up`."""

import sys
from collections.abc import Mapping
from pathlib import Path

from config.settings import Settings
from runtime import ports
from runtime.child import Program
from runtime.probes import http_ok, started

ROOT = Path(__file__).parent.parent
# Above what the application itself may take to end: a running request, then its own shutdown.
MARGIN_SECONDS = 15.0


class Parts:
    """Programs for `settings`; `environ` is what they inherit, with the settings that `up` added."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        paths = [str(ROOT), *filter(None, [environ.get("PYTHONPATH")])]
        self._environ = {**environ, "PYTHONPATH": ":".join(paths)}
        self._stop_seconds = settings.server.shutdown_grace_seconds + MARGIN_SECONDS

    def _command(self, *words: str) -> list[str]:
        # -P: a folder `config` or `proxy` where the user happens to stand must not be taken for ours.
        return [sys.executable, "-P", "-m", *words]

    def proxies(self) -> list[Program]:
        server = self._settings.server
        ready = http_ok(ports.url(server.proxy_host, server.proxy_port) + "/readyz")
        return [
            Program(
                name=f"proxy-{number}" if server.workers > 1 else "proxy",
                argv=self._command("tollkeeper", "proxy"),
                environ=self._environ,
                ready=ready,
                stop_seconds=self._stop_seconds,
                speaks_json=True,
            )
            for number in range(1, server.workers + 1)
        ]

    def console(self) -> Program:
        server = self._settings.server
        return Program(
            name="console",
            argv=self._command("tollkeeper", "console"),
            environ=self._environ,
            ready=http_ok(ports.url(server.console_host, server.console_port) + "/readyz"),
            stop_seconds=self._stop_seconds,
            speaks_json=True,
        )

    def background(self, name: str) -> Program:
        """`drain` or `worker`: serves nobody."""
        return Program(
            name=name,
            argv=self._command("tollkeeper", name),
            environ=self._environ,
            ready=started,
            stop_seconds=self._stop_seconds,
            speaks_json=True,
        )

    def simulated_upstream(self, host: str, port: int) -> Program:
        return Program(
            name="upstream",
            argv=self._command("simulators.openai", "--host", host, "--port", str(port)),
            environ=self._environ,
            ready=http_ok(ports.url(host, port) + "/healthz"),
        )
