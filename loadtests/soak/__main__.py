"""`python -m loadtests.soak [--minutes M] [--rate CALLS]`: memory under a load that goes on."""

import argparse
import sys
from dataclasses import asdict

from loadtests.report import page
from loadtests.soak.measure import measure
from loadtests.stand import results
from loadtests.stand.errors import StandError
from loadtests.stand.say import say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=300.0, help="JSON calls a second, beside 32 streams")
    options = parser.parse_args()
    try:
        found = measure(options.minutes * 60, options.rate)
    except StandError as error:
        say(str(error))
        return 2
    say(f"{found.calls} calls, {found.chunks} chunks in {found.seconds:.0f} s")
    for part, memory in found.memory.items():
        slope = memory.trend
        say(
            f"{part:8} {memory.last:6.1f} MB, {slope.slope:+7.2f} MB/h (95 %: {slope.margin:.2f} more or less)"
        )
    results.write(results.FOLDER, "soak", {"rate": options.rate, **asdict(found)})
    page.write(results.FOLDER)
    growing = found.growing()
    for each in growing:
        say(each)
    return 1 if growing else 0


if __name__ == "__main__":
    sys.exit(main())
