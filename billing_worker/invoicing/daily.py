"""Usage by day, as the ledger has it now: what is billed is written down in the same pieces."""

from typing import Any, Final

from ledger import rollups
from ledger.closings import Covered
from ledger.database import Connection
from ledger.invoice import Currency
from ledger.periods import Period
from ledger.usage_filter import Filter

_SECONDS: Final = 60.0


async def by_day(
    connection: Connection, organization_id: str, currency: Currency, span: Period
) -> list[Covered]:
    """Of each day of UTC, cut by the span, the usage of each project and model."""
    values: list[Any] = [span.start, currency]
    columns = ("project_id", "model", "currency", "records", "input_tokens", "output_tokens", "price_nano")
    usage = rollups.source(Filter(span.start, span.end, organization_id), values, columns)
    rows = await connection.fetch(
        "select greatest(date_trunc('day', at, 'UTC'), $1::timestamptz) as day, project_id, model,"
        " sum(records)::bigint, sum(input_tokens + output_tokens)::bigint, sum(price_nano)::bigint"
        f" from ({usage}) as used where currency = $2 group by 1, 2, 3 having sum(records) > 0 order by 1, 2, 3",
        *values,
        timeout=_SECONDS,
    )
    return [Covered(organization_id, span.start, *row) for row in rows]


async def requests(connection: Connection, organization_id: str, currency: Currency, span: Period) -> int:
    """How many records there are."""
    values: list[Any] = [currency]
    usage = rollups.source(Filter(span.start, span.end, organization_id), values, ("currency", "records"))
    found = await connection.fetchval(
        f"select coalesce(sum(records), 0)::bigint from ({usage}) as used where currency = $1",
        *values,
        timeout=_SECONDS,
    )
    return int(found)
