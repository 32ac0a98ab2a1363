"""`tollkeeper up` as a user runs it: a program of its own, on free ports, with its own data directory."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 60.0
READY = re.compile(
    r"ready proxy=(?P<proxy>http://\S+) console=(?P<console>http://\S+) key=(?P<key>\S+) admin=(?P<admin>\S+)\n"
)


@dataclass
class Up:
    """A running `up`. The addresses are without `/v1`."""

    process: "subprocess.Popen[str]"
    data_dir: Path
    log: Path
    proxy: str
    console: str
    key: str
    admin: str

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit code, and what else it printed on stdout."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, rest


def arguments(*words: str) -> list[str]:
    return [sys.executable, str(ROOT / "tollkeeper.py"), *words]


def environ(data_dir: Path, **settings: str) -> dict[str, str]:
    """No setting of the machine that runs the tests; ports that are free."""
    return {
        "PATH": os.environ["PATH"],
        "TOLLKEEPER_DATA_DIR": str(data_dir),
        "TOLLKEEPER_PROXY_PORT": "0",
        "TOLLKEEPER_CONSOLE_PORT": "0",
        **settings,
    }


def start(data_dir: Path, log: Path, **settings: str) -> "subprocess.Popen[str]":
    with log.open("w") as stderr:
        return subprocess.Popen(
            arguments("up"),
            env=environ(data_dir, **settings),
            cwd=log.parent,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )


def wait_ready(process: "subprocess.Popen[str]", data_dir: Path, log: Path) -> Up:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    match = READY.fullmatch(process.stdout.readline() if ready else "")
    assert match, log.read_text()[-3000:]
    return Up(process, data_dir, log, **match.groupdict())


@contextmanager
def running(data_dir: Path, log: Path, **settings: str) -> Iterator[Up]:
    process = start(data_dir, log, **settings)
    try:
        yield wait_ready(process, data_dir, log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=STOP_SECONDS)


def descendants(pid: int) -> set[int]:
    """All processes below `pid`."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    found, fresh = set[int](), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def wait_gone(pids: set[int], seconds: float = STOP_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while left := {pid for pid in pids if _runs(pid)}:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def wait_serving(address: str, seconds: float = START_SECONDS) -> None:
    """Until `address` says that it is ready; who recovers a database may take a while."""
    deadline = time.monotonic() + seconds
    with httpx.Client(timeout=10) as client:
        while True:
            try:
                said = client.get(f"{address}/readyz")
                if said.status_code == 200:
                    return
                reason = said.text
            except httpx.HTTPError as error:
                reason = repr(error)
            assert time.monotonic() < deadline, f"{address} did not come back: {reason}"
            time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
