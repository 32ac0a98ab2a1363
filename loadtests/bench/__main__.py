"""`python -m loadtests.bench [TARGET...] [--scenarios c64,s256] [--seconds S] [--rounds N] [--durable]`."""

import argparse
import logging
import sys
from dataclasses import asdict

from loadtests.bench.peers import missing
from loadtests.bench.run import DIRECT, OURS, Figure, Wish, run
from loadtests.bench.scenarios import SLOW, SPEED, scenario
from loadtests.report import page
from loadtests.stand import results
from loadtests.stand.errors import StandError
from loadtests.stand.say import say

_PEERS = ("nginx", "nginx_lua", "litellm")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="direct, nginx, nginx_lua, litellm, tollkeeper"
    )
    parser.add_argument("--scenarios", default=",".join((SLOW, *SPEED)))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durable", action="store_true", help="Redis syncs each write to the disk")
    parser.add_argument("--dry", action="store_true", help="leave results/ as it is")
    parser.add_argument("--verbose", action="store_true", help="what the servers say, too")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR)
    try:
        wish = Wish(
            targets=options.targets or _installed(),
            scenarios=[scenario(name, options.seconds) for name in options.scenarios.split(",")],
            rounds=options.rounds,
            durable=options.durable,
        )
        told = run(wish, _show)
    except StandError as error:
        say(str(error))
        return 2
    if not options.dry:
        found = {
            "rounds": options.rounds,
            "seconds": options.seconds,
            "durable": options.durable,
            **asdict(told),
        }
        results.write(results.FOLDER, "bench", found)
        page.write(results.FOLDER)
    if told.ready_seconds:
        say(f"start to ready {told.ready_seconds:.2f} s")
    return 1 if any(figure.errors for figure in told.figures) else 0


def _installed() -> list[str]:
    found = [DIRECT]
    for name in _PEERS:
        if (lack := missing(name)) is None:
            found.append(name)
        else:
            say(f"without {name}: {lack}")
    return [*found, OURS]


def _show(figure: Figure) -> None:
    cpu = " ".join(f"{part} {value:.0f}" for part, value in figure.cpu.items())
    say(
        f"{figure.scenario:9} {figure.target:11} {figure.rate:8.0f} calls/s  p50 {figure.p50:8.3f}"
        f"  p99 {figure.p99:8.3f} ms  relay p99 {figure.relay_p99:8.3f} ms  {figure.chunk_rate:6.0f} chunks/s"
        f"  stalls {figure.stalls} cpu us [{cpu}]  {figure.resident_mb:4.0f} MB  errors {figure.errors} {figure.reason}"
    )


if __name__ == "__main__":
    sys.exit(main())
