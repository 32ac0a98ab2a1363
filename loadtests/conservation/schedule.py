"""What goes wrong, and when: drawn from a seed, so that a run can be repeated. No I/O."""

import random
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

Kind = Literal[
    "kill_proxy",
    "kill_drain",
    "kill_worker",
    "freeze_redis",
    "cut_redis",
    "restart_redis",
    "wipe_redis",
    "wipe_redis_and_kill_proxy",
    "freeze_postgres",
    "restart_postgres",
    "change_plan",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Fault(NamedTuple):
    """`at` seconds after the start, for `lasts` seconds; `which` chooses among several of a kind."""

    at: float
    kind: Kind
    which: int
    lasts: float


def schedule(seed: int, seconds: float, every: float) -> Iterator[Fault]:
    """One fault about `every` seconds, each kind before any comes again; the last tenth is left alone."""
    chance = random.Random(seed)
    at, bag = every / 2, list[Kind]()
    while at < seconds * 0.9:
        if not bag:
            bag = list(KINDS)
            chance.shuffle(bag)
        yield Fault(round(at, 2), bag.pop(), chance.randrange(1000), round(chance.uniform(0.3, 2.0), 2))
        at += every * chance.uniform(0.6, 1.4)
