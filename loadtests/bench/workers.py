"""`python -m loadtests.bench.workers`: what two workers do beside one, in turn, with the same cores."""

import argparse
import sys
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

from loadtests.bench.scenarios import scenario
from loadtests.report import page
from loadtests.stand import results
from loadtests.stand.cores import divide, starting_on
from loadtests.stand.errors import StandError
from loadtests.stand.load import Load, Seen, without_errors
from loadtests.stand.product import product
from loadtests.stand.programs import compiled
from loadtests.stand.say import say
from loadtests.stand.stores import stores
from loadtests.stand.upstream import upstream

_MOST: Final = 2


@dataclass(frozen=True)
class Figure:
    workers: int
    rate: float
    p99: float


def measure(rounds: int, seconds: float) -> tuple[list[Figure], bool]:
    """For 1 and 2 workers, and whether the machine has the cores for that. Raises StandError."""
    cores = divide(_MOST)
    seen: dict[int, list[Seen]] = {workers: [] for workers in range(1, _MOST + 1)}
    with starting_on(cores.rest), stores(durable=False) as servers:
        programs = compiled(servers.folder)
        load = Load(programs.load, servers.folder)
        with upstream(programs.upstream) as answering:
            for _ in range(rounds):
                for workers, found in seen.items():
                    with product(servers, answering.port, cores, workers=workers) as running:
                        wish = scenario("c256", seconds).wish
                        found.append(without_errors(load.run(running.tenant().target, wish)))
                        running.drained()
    figures = [
        Figure(workers, median(each.rate for each in found), median(each.took.p99 for each in found))
        for workers, found in seen.items()
    ]
    return figures, cores.apart


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    try:
        figures, apart = measure(options.rounds, options.seconds)
    except StandError as error:
        say(str(error))
        return 2
    for figure in figures:
        say(f"{figure.workers} workers {figure.rate:8.0f} calls/s  p99 {figure.p99:7.2f} ms")
    results.write(results.FOLDER, "workers", {"apart": apart, "figures": [asdict(each) for each in figures]})
    page.write(results.FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
