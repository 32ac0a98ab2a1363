"""CPU of the proxy per call and per chunk of a stream, as multiples of what a call costs the reference.

Both are under the same load in turn, in short rounds; CPU time counts, not the clock on the wall, so neighbours on the
machine matter little, and the median of the rounds leaves out those that were disturbed. All programs share one core:
each finds the work of all clients waiting whenever its turn comes. How much is done at once decides what a call costs,
and so does not hang on how busy the other cores are.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Final

from loadtests.guard.stored import Costs
from loadtests.stand.cores import together
from loadtests.stand.load import Load, Pace, Seen, Target, Wish, without_errors
from loadtests.stand.ports import accepts, free_ports
from loadtests.stand.processes import cpu_seconds
from loadtests.stand.product import product
from loadtests.stand.programs import compiled
from loadtests.stand.stores import stores
from loadtests.stand.upstream import upstream
from runtime.child import Child, Program
from runtime.parts import ROOT

_CALLS: Final = Wish(clients=64, seconds=0.6, warm=0.15)
_STREAMS: Final = Wish(clients=128, seconds=0.8, warm=0.4, spread=0.3, pace=Pace(10, 60, usage=False))
_FIRST: Final = Wish(clients=64, seconds=0.3, warm=1.0)
"""What is loaded at first use, and learned by the interpreter, is not measured."""


def measure(rounds: int) -> Costs:
    """Raises StandError. To be called by the main thread."""
    with stores(durable=False) as servers:
        programs = compiled(servers.folder)
        load = Load(programs.load, servers.folder)
        with (
            upstream(programs.upstream) as answering,
            _reference() as (reference, reference_pid),
            product(servers, answering.port, patient=True) as running,
            together(),
        ):
            ours = running.tenant().target
            proxy = running.pids("proxy")
            for target in (reference, ours):
                load.run(target, _FIRST)
            costs = []
            for _ in range(rounds):
                unit = _cost(load, reference, [reference_pid], _CALLS, _calls)
                call = _cost(load, ours, proxy, _CALLS, _calls)
                chunk = _cost(load, ours, proxy, _STREAMS, _chunks)
                costs.append(Costs(call / unit, chunk / unit))
    return Costs(median(each.call for each in costs), median(each.chunk for each in costs))


def _calls(seen: Seen) -> int:
    return seen.calls


def _chunks(seen: Seen) -> int:
    return seen.chunks


def _cost(load: Load, target: Target, pids: list[int], wish: Wish, count: Callable[[Seen], int]) -> float:
    """Seconds of CPU for each of what is counted."""
    before = 0.0

    def measuring() -> None:
        nonlocal before
        before = cpu_seconds(pids)

    seen = without_errors(load.run(target, wish, measuring))
    return (cpu_seconds(pids) - before) / max(1, count(seen))


@contextmanager
def _reference() -> Iterator[tuple[Target, int]]:
    (port,) = free_ports(1)
    environ: Mapping[str, str] = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-P", "-m", "loadtests.guard.reference", str(port)]
    child = Child(Program(name="reference", argv=argv, ready=accepts(port), environ=environ))
    try:
        child.wait_ready()
        yield Target(port), child.pid
    finally:
        child.stop()
