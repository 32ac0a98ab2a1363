"""Stand-in programs are the shell: small, real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from runtime.child import Child, ChildError, Program
from runtime.supervisor import Supervisor

ROOT = Path(__file__).parent.parent.parent


def shell(script: str, name: str = "child", **changes: object) -> Program:
    arguments: dict[str, object] = {
        "name": name,
        "argv": ["/bin/sh", "-c", script],
        "ready": lambda _pid: True,
        "environ": {"PATH": os.environ["PATH"]},
        **changes,
    }
    return Program(**arguments)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def supervise() -> Callable[[Callable[[Supervisor], Awaitable[None]]], Awaitable[None]]:
    async def run(body: Callable[[Supervisor], Awaitable[None]]) -> None:
        supervisor = Supervisor()
        try:
            await body(supervisor)
        finally:
            await supervisor.stop()

    return run


Supervise = Callable[[Callable[[Supervisor], Awaitable[None]]], Awaitable[None]]


async def test_a_child_that_crashes_is_started_again(supervise: Supervise, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.touch()

    async def body(supervisor: Supervisor) -> None:
        await supervisor.start(shell(f"echo $$ >> {runs}; exec sleep 60"))
        await until(lambda: len(runs.read_text().split()) == 1)
        os.kill(int(runs.read_text()), signal.SIGKILL)
        await until(lambda: len(runs.read_text().split()) == 2)

    await supervise(body)
    for pid in runs.read_text().split():
        assert not Path(f"/proc/{pid}").exists()


async def test_start_waits_until_all_of_a_stage_answer(supervise: Supervise, tmp_path: Path) -> None:
    def ready(name: str) -> Callable[[int], bool]:
        return lambda _pid: (tmp_path / name).exists()

    async def body(supervisor: Supervisor) -> None:
        await supervisor.start(
            *(
                shell(f"sleep 0.2; : > {tmp_path}/{name}; exec sleep 60", name, ready=ready(name))
                for name in "ab"
            )
        )
        assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}

    await supervise(body)


async def test_a_child_that_ends_at_its_start_is_named(supervise: Supervise) -> None:
    async def body(supervisor: Supervisor) -> None:
        silent = shell("exec sleep 60", "silent", ready=lambda _pid: False)
        broken = shell("exit 3", "broken", ready=lambda _pid: False)
        with pytest.raises(ChildError, match=r"^broken ended at its start with exit code 3$"):
            await supervisor.start(silent, broken)

    began = time.monotonic()
    await supervise(body)
    assert time.monotonic() - began < 10


async def test_a_silent_child_is_given_up_after_its_bound(supervise: Supervise) -> None:
    async def body(supervisor: Supervisor) -> None:
        with pytest.raises(ChildError, match=r"^child did not answer in 0\.2 s$"):
            await supervisor.start(shell("exec sleep 60", ready=lambda _pid: False, ready_seconds=0.2))

    await supervise(body)


async def test_stages_stop_in_reverse_order(supervise: Supervise, tmp_path: Path) -> None:
    ends = tmp_path / "ends"

    def noting(name: str) -> Program:
        up = tmp_path / name
        script = f"trap 'echo {name} >> {ends}; exit 0' TERM; : > {up}; while :; do sleep 0.05; done"
        return shell(script, name, ready=lambda _pid: up.exists())

    async def body(supervisor: Supervisor) -> None:
        for name in ("first", "second", "third"):
            await supervisor.start(noting(name))

    await supervise(body)
    assert ends.read_text().split() == ["third", "second", "first"]


async def test_a_child_that_ignores_the_signal_is_ended_by_force_within_its_bound(
    supervise: Supervise,
) -> None:
    async def body(supervisor: Supervisor) -> None:
        await supervisor.start(shell("trap '' TERM; while :; do sleep 0.05; done", stop_seconds=0.3))
        await asyncio.sleep(0.2)  # the shell sets its trap first

    began = time.monotonic()
    await supervise(body)
    assert time.monotonic() - began < 5


async def test_an_interrupt_of_the_terminal_does_not_reach_children(
    supervise: Supervise, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.touch()

    async def body(supervisor: Supervisor) -> None:
        await supervisor.start(shell(f"echo $$ >> {run}; exec sleep 60"))
        await until(lambda: run.read_text().endswith("\n"))
        assert os.getpgid(int(run.read_text())) != os.getpgid(0)

    await supervise(body)


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_children_end_when_the_supervisor_is_killed(stop_signal: signal.Signals) -> None:
    program = f"""
        import signal, sys, time
        from runtime.child import Child, Program
        child = Child(Program("child", ["/bin/sleep", "60"], lambda _pid: True,
                              stop_signal=signal.Signals({stop_signal.value})))
        while open(f"/proc/{{child.pid}}/comm").read().strip() != "sleep":
            time.sleep(0.01)
        print(child.pid, flush=True)
        time.sleep(60)
    """
    supervisor = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.communicate()
    deadline = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_that_is_missing_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    child = Child(Program("child", ["/no/such/program"], lambda _pid: False))
    with pytest.raises(ChildError, match="exit code 125"):
        child.wait_ready()
    child.stop()
    assert "cannot start /no/such/program" in caplog.text


def test_what_a_child_prints_is_logged_under_its_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    child = Child(shell("echo out; echo err >&2", "speaker"))
    assert child.wait(10) == 0
    assert [(record.name, record.message) for record in caplog.records] == [
        ("runtime.speaker", "out"),
        ("runtime.speaker", "err"),
    ]
