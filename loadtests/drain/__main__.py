"""`python -m loadtests.drain [--records N] [--rounds N]`."""

import argparse
import sys
from dataclasses import asdict

from loadtests.drain.measure import measure
from loadtests.report import page
from loadtests.stand import results
from loadtests.stand.errors import StandError
from loadtests.stand.say import say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.drain", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    try:
        found = measure(options.records, options.rounds)
    except StandError as error:
        say(str(error))
        return 2
    speed = found.speed
    say(
        f"{speed.rate:.0f} records/s; CPU us a record: drain {speed.drain_cpu:.1f}, postgres {speed.postgres_cpu:.1f}, "
        f"redis {speed.redis_cpu:.1f}"
    )
    for name, calls in (("nothing is drained", found.quiet), ("a backlog is drained", found.draining)):
        say(f"calls while {name}: p50 {calls.p50:.2f} ms, p99 {calls.p99:.2f} ms")
    results.write(results.FOLDER, "drain", asdict(found))
    page.write(results.FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
