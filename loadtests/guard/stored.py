"""The costs that are kept in guard.json, and how far above them a run may be."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Self

from loadtests.stand.surroundings import Surroundings, surroundings

PATH: Final = Path(__file__).parent.parent / "guard.json"
TOLERANCE: Final = 0.30


@dataclass(frozen=True)
class Costs:
    """CPU of the proxy for a JSON call and for a chunk of a stream, as multiples of a call of the reference."""

    call: float
    chunk: float

    def above(self, stored: Self, tolerance: float = TOLERANCE) -> list[str]:
        """What costs more than it did, beyond the tolerance; in words."""
        pairs = ((each.name, getattr(self, each.name), getattr(stored, each.name)) for each in fields(self))
        return [
            f"a {name} costs {now:.2f} calls of the reference; {before:.2f} are stored (+{now / before - 1:.0%})"
            for name, now, before in pairs
            if now > before * (1 + tolerance)
        ]


@dataclass(frozen=True)
class Stored:
    costs: Costs
    surroundings: Surroundings

    @classmethod
    def load(cls, path: Path = PATH) -> Self:
        told = json.loads(path.read_text("utf-8"))
        return cls(Costs(**told["costs"]), Surroundings(**told["surroundings"]))


def store(costs: Costs, path: Path = PATH) -> None:
    told = {"costs": {name: round(cost, 3) for name, cost in asdict(costs).items()}}
    path.write_text(json.dumps(told | {"surroundings": asdict(surroundings())}, indent=1) + "\n", "utf-8")
