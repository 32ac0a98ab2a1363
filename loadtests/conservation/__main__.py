"""`python -m loadtests.conservation [--seed N] [--seconds N] [--clients N] [--proxies N] [--every S]`."""

import argparse
import random
import sys
from pathlib import Path

from loadtests.conservation.run import Wish, run

_RESULTS = Path(__file__).parent.parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.conservation", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--proxies", type=int, default=3)
    parser.add_argument("--every", type=float, default=6)
    wish = Wish(**vars(parser.parse_args()))
    outcome = run(wish)
    path = _RESULTS / f"conservation-{wish.seed}.json"
    outcome.write(path, wish)
    print(f"seed {wish.seed}: {outcome.figure}")  # noqa: T201 - the figure is the result
    for difference in outcome.verdict.differences[:50]:
        print(f"  {difference}")  # noqa: T201
    return 1 if outcome.verdict.differences else 0


if __name__ == "__main__":
    sys.exit(main())
