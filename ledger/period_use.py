"""What an organization used of its period, as it counts against the limits of its plan."""

from typing import Any, NamedTuple

from ledger import rollups
from ledger.database import Connection
from ledger.periods import Period
from ledger.usage_filter import Filter


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
    values: list[Any] = [currency]
    wanted = Filter(start=period.start, end=period.end, organization_id=organization_id)
    source = rollups.source(
        wanted,
        values,
        [
            *("requests", "input_tokens", "output_tokens", "price_nano", "request_bytes", "response_bytes"),
            "currency",
        ],
    )
    row = await connection.fetchrow(
        "select coalesce(sum(requests), 0)::bigint as requests,"
        " coalesce(sum(input_tokens + output_tokens), 0)::bigint as tokens,"
        " coalesce(sum(price_nano) filter (where currency = $1), 0)::bigint as price_nano,"
        " coalesce(sum(request_bytes + response_bytes), 0)::bigint as traffic_bytes"
        f" from ({source}) used",
        *values,
    )
    assert row is not None  # an aggregate always has its row
    return PeriodUse(**dict(row))
