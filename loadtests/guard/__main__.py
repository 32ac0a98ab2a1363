"""`python -m loadtests.guard [--update] [--rounds N]`: does a call still cost what it did?"""

import argparse
import sys

from loadtests.guard.measure import measure
from loadtests.guard.stored import Stored, store
from loadtests.stand.errors import StandError
from loadtests.stand.say import say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="store what is measured now")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    try:
        costs = measure(options.rounds)
    except StandError as error:
        say(str(error))
        return 2
    say(f"a call costs {costs.call:.2f}, a chunk {costs.chunk:.3f} calls of the reference")
    if options.update:
        store(costs)
        return 0
    regressions = costs.above(Stored.load().costs)
    for each in regressions:
        say(each)
    return 1 if regressions else 0


if __name__ == "__main__":
    sys.exit(main())
