"""One program that runs as our child: it dies with us, and its end is noticed."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

CONFINE = Path(__file__).with_name("confine.py")
POLL_SECONDS = 0.05
LINE_LIMIT = 8192


class ChildError(RuntimeError):
    """A child could not be started or did not answer; the message is one line that names it."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """The user a child runs as, and the one capability it keeps; see confine.py."""

    uid: int
    gid: int
    capability: str | None = None

    @property
    def options(self) -> list[str]:
        options = ["--uid", str(self.uid), "--gid", str(self.gid)]
        return options if self.capability is None else [*options, "--capability", self.capability]


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and how to end it.

    `ready` is asked with the child's process id until it says yes, for at most `ready_seconds`; it may
    block for a moment. `stop_signal` asks for a clean end, which may take `stop_seconds`. `speaks_json` is
    a child that writes our log lines itself; the output of any other is logged line by line.
    `descriptors` are inherited.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[int], bool]
    environ: Mapping[str, str] = field(default_factory=dict)
    ready_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    confinement: Confinement | None = None
    descriptors: tuple[int, ...] = ()
    speaks_json: bool = False


class Child:
    """Starts at once. To be created by the main thread: a child dies with the thread that made it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        confined = program.confinement.options if program.confinement else []
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(CONFINE), "--parent", str(os.getpid())),
                *("--death-signal", str(program.stop_signal.value), *confined, "--", *program.argv),
            ],
            env=dict(program.environ),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if program.speaks_json else subprocess.PIPE,
            stderr=None if program.speaks_json else subprocess.STDOUT,
            pass_fds=program.descriptors,
            # Ctrl-C reaches us alone, so that children end in order.
            start_new_session=True,
        )
        self._log: threading.Thread | None = None
        if self._process.stdout is not None:
            self._log = threading.Thread(
                target=_log_lines, args=(program.name, self._process.stdout), daemon=True
            )
            self._log.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def answers(self) -> bool:
        return self.program.ready(self.pid)

    def wait_ready(self) -> None:
        """Blocks until the child answers. Raises ChildError if it ends first or takes too long."""
        deadline = time.monotonic() + self.program.ready_seconds
        while not self.answers():
            if self.exit_code is not None:
                raise ChildError(f"{self.program.name} ended at its start with {describe(self.exit_code)}")
            if time.monotonic() > deadline:
                raise ChildError(f"{self.program.name} did not answer in {self.program.ready_seconds:g} s")
            time.sleep(POLL_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit code, or None if the child still runs after `seconds`."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if self._log is not None:
            # Its last words; bounded, because something the child left behind may hold the pipe open.
            self._log.join(1.0)
        return code

    def stop(self) -> int:
        """Ends the child cleanly, or by force once `stop_seconds` are over; gives its exit code."""
        if self.exit_code is None:
            self.signal(self.program.stop_signal)
        code = self.wait(self.program.stop_seconds)
        if code is None:
            self.signal(signal.SIGKILL)
            code = self.wait()
        return -signal.SIGKILL if code is None else code


def describe(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _log_lines(name: str, output: IO[bytes]) -> None:
    log = logging.getLogger(f"runtime.{name}")
    with output:
        while line := output.readline(LINE_LIMIT):
            if text := line.decode(errors="replace").rstrip():
                log.info("%s", text)
