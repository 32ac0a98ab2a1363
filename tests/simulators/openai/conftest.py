"""A simulator that really runs, as a process of its own, and has nothing to complain of at its end."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.simulators.openai.running import Running

ROOT = Path(__file__).resolve().parents[3]


def _started(*options: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "simulators.openai", "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            headers = {"authorization": "Bearer sk-test"}
            with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
                yield Running(url, client)
        finally:
            process.terminate()
            _, complaints = process.communicate(timeout=10)
    assert complaints == ""


@pytest.fixture(scope="session")
def shared() -> Iterator[Running]:
    yield from _started()


@pytest.fixture
def simulator(shared: Running) -> Running:
    """With empty books."""
    shared.client.post("/simulator/reset")
    return shared


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts another simulator with options of its own."""
    running: list[Iterator[Running]] = []

    def begin(*options: str) -> Running:
        running.append(_started(*options))
        return next(running[-1])

    yield begin
    for each in running:
        next(each, None)
