"""Whether invoices bill what the ledger recorded: the month is closed, as if its end had come, and compared."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from billing_worker.app import run_once
from config.settings import load_settings
from ledger import sellers
from ledger.bootstrap import example_seller
from ledger.database import close_pool, open_pool, reading, transaction
from ledger.periods import month_of

_AFTER: Final = timedelta(days=2)

_HALF_A_CENT: Final = Decimal("0.005")
"""What the rounding of one line may make."""

_COMPARED: Final = """
select organization.id,
    used.requests as used_requests, used.tokens as used_tokens, used.price_nano as used_nano,
    billed.requests as billed_requests, billed.tokens as billed_tokens, billed.price_nano as billed_nano,
    coalesce(lines.net, 0) as net, coalesce(lines.count, 0) as lines
from organization
join (select organization_id, count(*) as requests, sum(input_tokens + output_tokens)::bigint as tokens,
             sum(price_nano)::bigint as price_nano from usage group by 1) used on used.organization_id = organization.id
left join (select organization_id, sum(requests)::bigint as requests, sum(tokens)::bigint as tokens,
                  sum(price_nano)::bigint as price_nano from invoice_usage group by 1) billed
    on billed.organization_id = organization.id
left join (select organization_id, sum(invoice_line.net) as net, count(*) as count from invoice_line
           join invoice on invoice.id = invoice_id where number is not null and invoice_line.kind = 'usage' group by 1)
    lines on lines.organization_id = organization.id
"""


async def invoiced(database_url: str, now: datetime) -> list[str]:
    """What differs, one sentence for each organization; all usage must lie in the month of `now`."""
    pool = await open_pool(database_url)
    try:
        async with transaction(pool) as connection:
            await sellers.put(connection, "conservation", example_seller())
        at = month_of(now, "UTC").end + _AFTER
        await run_once(load_settings({"DATABASE_URL": database_url}), "closing", at)
        async with reading(pool) as connection:
            rows = await connection.fetch(_COMPARED)
    finally:
        await close_pool(pool)
    return [difference for row in rows for difference in _differences(dict(row))]


def _differences(row: dict[str, Any]) -> Iterator[str]:
    for name in ("requests", "tokens", "nano"):
        used, billed = row[f"used_{name}"], row[f"billed_{name}"]
        if used != billed:
            yield f"{row['id']}: {used} {name} are recorded, {billed} were billed"
    exact = Decimal(row["used_nano"]).scaleb(-9)
    if abs(row["net"] - exact) > _HALF_A_CENT * max(row["lines"], 1):
        yield f"{row['id']}: usage of {exact} stands as {row['net']} on invoices"
