"""How full a limit is, and which threshold that passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ledger.limits import UNLIMITED

QUOTA: Final = (80, 90, 95, 100)
PLAN_LIMIT: Final = (80, 95)


@dataclass(frozen=True, slots=True)
class Level:
    """What is used of what is allowed; both in the same unit. Nothing allowed, or all, is no level to be told of."""

    used: Decimal
    allowed: Decimal

    def reached(self, thresholds: Sequence[int]) -> int | None:
        """The highest threshold, in percent, that is reached exactly or passed."""
        if self.allowed in (UNLIMITED, 0):
            return None
        return max((each for each in thresholds if self.used * 100 >= self.allowed * each), default=None)
