"""What an organization used of its period, as it counts against the limits of its plan."""

from typing import NamedTuple

from ledger.database import Connection
from ledger.periods import Period


class PeriodUse(NamedTuple):
    """`requests` are calls of customers: a call that used several models is one. Money in nano-units."""

    requests: int
    tokens: int
    price_nano: int
    traffic_bytes: int


async def period_use(
    connection: Connection, organization_id: str, period: Period, currency: str
) -> PeriodUse:
    """`currency` is the plan's; what was charged in another does not count."""
    row = await connection.fetchrow(
        "select count(*) filter (where strpos(request_id, '.') = 0) as requests,"
        " coalesce(sum(input_tokens + output_tokens), 0)::bigint as tokens,"
        " coalesce(sum(price_nano) filter (where currency = $4), 0)::bigint as price_nano,"
        " coalesce(sum(request_bytes + response_bytes), 0)::bigint as traffic_bytes"
        " from usage where organization_id = $1 and occurred_at >= $2 and occurred_at < $3",
        *(organization_id, period.start, period.end, currency),
    )
    assert row is not None  # an aggregate always has its row
    return PeriodUse(**dict(row))
