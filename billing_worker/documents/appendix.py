"""What was used, day by day: an appendix that an invoice may have. It informs; the lines are what is charged."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOfDay:
    """Of one model in one project, on the payer's calendar.

    `amount` is what its records cost at the plan's rates, unrounded, before anything that a plan includes or discounts.
    """

    day: date
    model: str
    project: str | None
    requests: int
    tokens: int
    amount: Decimal
