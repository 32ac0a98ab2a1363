"""`python -m loadtests.state [--usage N] [--keys N] [--organizations N] [--rounds N]`: a full ledger, an empty one."""

import argparse
import sys
from dataclasses import asdict, fields

from loadtests.report import page
from loadtests.stand import results
from loadtests.stand.errors import StandError
from loadtests.stand.say import say
from loadtests.state.fill import Size
from loadtests.state.measure import State, measure

_TOLERANCE = 0.10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.state", description=__doc__)
    parser.add_argument("--organizations", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--usage", type=int, default=10_000_000, help="rows")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--backlog", type=int, default=20_000, help="records that are drained in each round")
    options = parser.parse_args()
    try:
        found = measure(
            Size(options.organizations, options.keys, options.usage), options.rounds, options.backlog
        )
    except StandError as error:
        say(str(error))
        return 2
    for each in fields(State):
        empty, full = getattr(found.empty, each.name), getattr(found.full, each.name)
        say(f"{each.name:12} empty {empty:10.2f}   full {full:10.2f}   {full / empty - 1:+.1%}")
    results.write(results.FOLDER, "state", asdict(found))
    page.write(results.FOLDER)
    # By CPU, which neighbours of this machine disturb least.
    dearer = found.full.proxy_cpu / found.empty.proxy_cpu - 1
    if dearer > _TOLERANCE:
        say(f"a call costs {dearer:.0%} more CPU where the ledger is full; {_TOLERANCE:.0%} are allowed")
    return 1 if dearer > _TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
