"""Calls at a steady rate and streams beside them, for as long as is wished; memory is looked at all the while."""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from loadtests.soak.trend import Trend, trend
from loadtests.stand.cores import divide, starting_on
from loadtests.stand.load import Load, Pace, Seen, Wish, without_errors
from loadtests.stand.processes import resident_bytes
from loadtests.stand.product import Product, product
from loadtests.stand.programs import compiled
from loadtests.stand.stores import stores
from loadtests.stand.upstream import upstream

LIMIT: Final = 1.0
"""MB an hour by which a part may grow, beyond noise."""
PARTS: Final = ("proxy", "drain", "worker", "console")
_STREAMS: Final = 32
_PACE: Final = Pace(20, 100, usage=False)
_BURSTS: Final = (
    Wish(64, seconds=2.0),
    Wish(128, seconds=2.5, warm=0.5, spread=0.5, pace=Pace(10, 50, usage=False)),
)
"""First more than comes later, so that pools and the allocator have found their size before memory is looked at."""
_SHORTEST_WARM: Final = 3.0
_WARM: Final = 0.25
"""The part of the time in which caches fill, pools grow and the allocator finds its size: it is not measured."""


@dataclass(frozen=True)
class Memory:
    """Of one part, in MB and MB an hour."""

    last: float
    peak: float
    trend: Trend


@dataclass(frozen=True)
class Found:
    seconds: float
    calls: int
    chunks: int
    memory: Mapping[str, Memory]
    samples: Mapping[str, list[tuple[float, float]]]
    """(seconds, MB), the warm part included."""

    def growing(self) -> list[str]:
        """The parts that grow beyond noise, in words."""
        return [
            f"{part} grows by {each.trend.slope:.1f} MB an hour, at least by {each.trend.least:.1f}"
            for part, each in self.memory.items()
            if each.trend.least > LIMIT
        ]


def measure(seconds: float, rate: float) -> Found:
    """Raises StandError. To be called by the main thread."""
    warm = max(_SHORTEST_WARM, seconds * _WARM)
    calls = Wish(clients=32, seconds=seconds - warm, warm=warm, rate=rate)
    streams = Wish(_STREAMS, seconds=seconds - warm, warm=warm, spread=min(2.0, warm), pace=_PACE)
    cores = divide(1)
    with starting_on(cores.rest), stores(durable=False) as servers:
        programs = compiled(servers.folder)
        load = Load(programs.load, servers.folder)
        with (
            upstream(programs.upstream) as answering,
            product(servers, answering.port, cores, patient=True) as running,
        ):
            target = running.tenant().target
            for burst in _BURSTS:
                load.run(target, burst)
            with ThreadPoolExecutor(2) as pool:
                under_way = [pool.submit(load.run, target, wish) for wish in (calls, streams)]
                samples = _watch(running, under_way)
            seen = [without_errors(each.result()) for each in under_way]
    memory = {part: _memory(taken, warm) for part, taken in samples.items()}
    return Found(seconds, sum(each.calls for each in seen), seen[1].chunks, memory, samples)


def _watch(running: Product, under_way: list[Future[Seen]]) -> dict[str, list[tuple[float, float]]]:
    pids = {part: running.pids(part) for part in PARTS}
    samples: dict[str, list[tuple[float, float]]] = {part: [] for part in PARTS}
    began = time.monotonic()
    while not all(each.done() for each in under_way):
        for part, taken in samples.items():
            taken.append((time.monotonic() - began, resident_bytes(pids[part]) / 1e6))
        time.sleep(0.25)
    return samples


def _memory(samples: list[tuple[float, float]], warm: float) -> Memory:
    # The last look may fall into the end of the load.
    measured = [(at, value) for at, value in samples[:-1] if at >= warm]
    return Memory(measured[-1][1], max(value for _, value in samples), trend(measured))
