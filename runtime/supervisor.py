"""Runs the parts of one machine: starts them in order, keeps them running, stops them in reverse."""

import asyncio
import logging
import time

from runtime.child import POLL_SECONDS, Child, ChildError, Program, describe
from runtime.exits import exited

FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
STEADY_SECONDS = 30.0  # a child that ran this long starts again without delay

log = logging.getLogger(__name__)


class Supervisor:
    """Owns one task per child. `stop()` must be awaited on every way out."""

    def __init__(self) -> None:
        self._stages: list[list[_Keeper]] = []

    async def start(self, *programs: Program) -> None:
        """Starts these at once and waits until all answer. They are stopped together, before earlier ones.

        Raises ChildError if one ends or stays silent; what was started is left to `stop()`.
        """
        stage = [_Keeper(program) for program in programs]
        self._stages.append(stage)
        starting = [asyncio.create_task(keeper.start()) for keeper in stage]
        try:
            await asyncio.wait(starting, return_when=asyncio.FIRST_EXCEPTION)
            for task in starting:
                if task.done():
                    task.result()
        finally:
            for task in starting:
                task.cancel()
            await asyncio.wait(starting)

    async def stop(self) -> None:
        """Stops all, the last started first, each within its own bound."""
        while self._stages:
            await asyncio.gather(*(keeper.stop() for keeper in self._stages.pop()))


class _Keeper:
    """One child and its successors."""

    def __init__(self, program: Program) -> None:
        self.name = program.name
        self._program = program
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._child = Child(self._program)
        await _ready(self._child)
        self._task = asyncio.create_task(self._keep(self._child), name=f"keep {self.name}")

    async def _keep(self, child: Child) -> None:
        delay = FIRST_DELAY
        while True:
            started = time.monotonic()
            await exited(child)
            if time.monotonic() - started > STEADY_SECONDS:
                delay = FIRST_DELAY
            log.error("%s ended with %s; starting it again", self.name, describe(child.stop()))
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            child = self._child = Child(self._program)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if (child := self._child) is None:
            return
        running = child.exit_code is None
        code = await asyncio.to_thread(child.stop)
        if running and code != 0:
            log.warning("%s ended with %s", self.name, describe(code))


async def _ready(child: Child) -> None:
    """As Child.wait_ready, without blocking the loop."""
    deadline = time.monotonic() + child.program.ready_seconds
    while not await asyncio.to_thread(child.answers):
        if (code := child.exit_code) is not None:
            raise ChildError(f"{child.program.name} ended at its start with {describe(code)}")
        if time.monotonic() > deadline:
            raise ChildError(f"{child.program.name} did not answer in {child.program.ready_seconds:g} s")
        await asyncio.sleep(POLL_SECONDS)
