"""The terms of plans as they were at each time."""

from dataclasses import dataclass
from datetime import datetime

from ledger.database import Connection
from ledger.plans import PlanTerms


@dataclass(frozen=True, slots=True)
class DatedTerms:
    """They hold from `valid_from` until the next ones of the same plan; the first ones also before."""

    valid_from: datetime
    terms: PlanTerms


async def of_plan(connection: Connection, plan_id: str) -> tuple[DatedTerms, ...]:
    """The oldest first; none for a plan that there is not."""
    rows = await connection.fetch(
        "select valid_from, terms from plan_terms where plan_id = $1 order by valid_from", plan_id
    )
    return tuple(DatedTerms(row["valid_from"], PlanTerms.model_validate(row["terms"])) for row in rows)
