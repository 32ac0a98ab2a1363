"""The product as a user starts it, with an organization whose plan names every limit there is."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from redis import Redis

from loadtests.stand.cores import Cores, move, starting_on
from loadtests.stand.errors import StandError
from loadtests.stand.load import Target
from loadtests.stand.processes import command, descendants
from loadtests.stand.stores import Stores
from runtime.child import Child, Program
from runtime.parts import ROOT
from runtime.running import Running

_PARTS: Final = ("proxy", "drain", "worker", "console")
_ALL_LIMITS: Final = {
    "requests_per_minute": 10**12,
    "tokens_per_minute": 10**14,
    "concurrent_requests": 10**6,
    "requests_per_month": 10**14,
    "tokens_per_month": 10**15,
    "spend_per_month": "1000000",
    "traffic_gb_per_month": 10**9,
}
"""Every one is checked and counted, and none is ever reached."""


@dataclass(frozen=True)
class Tenant:
    """An organization with one key; `target` is called with it."""

    organization_id: str
    key_id: str
    key: str
    target: Target


@dataclass(frozen=True)
class Product:
    """`parts` are process ids by name. `ready_seconds` is from the command to the line that says so."""

    child: Child
    redis_url: str
    running: Running
    admin_token: str
    ready_seconds: float

    @property
    def port(self) -> int:
        return urlsplit(self.running.proxy).port or 0

    def pids(self, part: str) -> list[int]:
        """Of `proxy` (each worker), `drain`, `worker` or `console`."""
        return [pid for pid in descendants(self.child.pid) if command(pid)[-2:-1] == [part]]

    def pin(self, cores: Cores) -> None:
        """The proxy to its cores, everything else to the others."""
        move(self.child.pid, cores.rest)
        for number, pid in enumerate(self.pids("proxy")):
            own = sorted(cores.measured)
            move(pid, {own[number % len(own)]})

    def drained(self, seconds: float = 120.0) -> float:
        """Waits until every record is in Postgres; gives how long that took. Raises StandError."""
        began = time.monotonic()
        with Redis.from_url(self.redis_url) as redis:
            while any(redis.xlen(stream) for stream in redis.scan_iter("*:usage", count=1000)):
                if time.monotonic() - began > seconds:
                    raise StandError(f"records are left in Redis after {seconds:g} s")
                time.sleep(0.02)
        return time.monotonic() - began

    def tenant(self, limits: dict[str, Any] | None = None) -> Tenant:
        """A new organization with a key, made through the console's API."""
        headers = {"authorization": f"Bearer {self.admin_token}"}
        address = f"{self.running.console}/api/admin"
        with httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as console:

            def ask(method: str, path: str, **body: Any) -> Any:
                return console.request(method, path, json=body).raise_for_status().json()

            name = f"measured {time.monotonic_ns()}"
            terms = {"name": name, "currency": "EUR", "limits": _ALL_LIMITS if limits is None else limits}
            plan = ask("POST", "/plans", **terms)
            organization = ask("POST", "/organizations", name=name)
            ask("PUT", f"/organizations/{organization['id']}/subscription", plan_id=plan["id"])
            key = ask("POST", f"/organizations/{organization['id']}/keys", name="key")
        target = Target(self.port, {"authorization": f"Bearer {key['key']}"})
        return Tenant(organization["id"], key["id"], key["key"], target)


@contextmanager
def product(
    stores: Stores, upstream_port: int, cores: Cores | None = None, *, workers: int = 1, patient: bool = False
) -> Iterator[Product]:
    """A running `up`, which had all `cores` to start and keeps to its own then. To be called by the main thread.

    `patient` is for a machine that others keep busy: a Redis that waits for its turn is not taken for one that is lost.
    """
    data_dir = stores.folder / "product"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(stores.folder),
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": stores.database_url,
        "REDIS_URL": stores.redis_url,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "OPENAI_API_KEY": "sk-upstream-of-the-measurement",
        "TOLLKEEPER_DATA_DIR": str(data_dir),
        "TOLLKEEPER_PROXY_PORT": "0",
        "TOLLKEEPER_CONSOLE_PORT": "0",
        "TOLLKEEPER_WORKERS": str(workers),
        "TOLLKEEPER_LOG_LEVEL": "error",
    }
    if patient:
        environ["TOLLKEEPER_REDIS_TIMEOUT_MS"] = "5000"
    program = Program(
        name="up",
        argv=[sys.executable, "-P", "-m", "tollkeeper", "up"],
        environ=environ,
        ready=lambda pid: _running(data_dir, pid) is not None,
        stop_seconds=60,
    )
    began = time.monotonic()
    with starting_on(cores.measured | cores.rest) if cores is not None else nullcontext():
        child = Child(program)
    try:
        child.wait_ready()
        took = time.monotonic() - began
        found = _running(data_dir, child.pid)
        assert found is not None
        made = Product(child, stores.redis_url, found, found.environment["TOLLKEEPER_ADMIN_TOKEN"], took)
        if cores is not None:
            made.pin(cores)
        yield made
    finally:
        child.stop()


def _running(data_dir: Path, pid: int) -> Running | None:
    found = Running.find(data_dir)
    return found if found is not None and found.pid == pid else None
