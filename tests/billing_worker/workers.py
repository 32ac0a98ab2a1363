"""Real worker processes with jobs of the tests; what those do can be seen in the table `did`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg

from ledger.database import Pool, reading

ROOT = Path(__file__).parent.parent.parent
PROGRAM = Path(__file__).parent / "worker_process.py"
STOP_SECONDS = 15


class Workers:
    def __init__(self, database_url: str) -> None:
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *jobs: str, heartbeat: float = 1.0, grace: float = 5.0) -> "subprocess.Popen[bytes]":
        """One worker with these jobs of worker_process.py."""
        words = [sys.executable, str(PROGRAM), "--heartbeat", str(heartbeat), "--grace", str(grace), *jobs]
        made = subprocess.Popen(words, env=self._environ)
        self._running.append(made)
        return made

    def kill(self) -> None:
        for process in self._running:
            process.kill()
            process.wait(STOP_SECONDS)


def stop(process: "subprocess.Popen[bytes]") -> int:
    """Ends it by SIGTERM; gives its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(STOP_SECONDS)


async def make_tables(database_url: str) -> None:
    """`did`: what the jobs of the tests write; `gate`: rows that let them go on."""
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        await connection.execute(
            "create table did (id bigint generated always as identity, job text, at timestamptz, pid integer,"
            " began timestamptz default clock_timestamp(), ended timestamptz); create table gate (open boolean)"
        )
    finally:
        await connection.close(timeout=5)


async def open_gate(pool: Pool) -> None:
    async with reading(pool) as connection:
        await connection.execute("insert into gate values (true)")
