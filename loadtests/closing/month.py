"""A month of usage of many organizations, as the drain would have stored it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from ledger import organizations, plans, sellers, subscriptions
from ledger.bootstrap import example_seller
from ledger.database import Pool, reading, transaction
from ledger.periods import Period
from ledger.plans import PlanTerms
from ledger.usage_partitions import ensure_month

MONTH: Final = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
CLOSING: Final = datetime(2026, 11, 2, 12, tzinfo=UTC)
_AT_ONCE: Final = 100_000
_SECONDS: Final = 600.0

# Spread over the month, 20 models and 5 projects; every tenth streamed; a thousandth of a unit each.
_ROWS: Final = """
insert into usage (
    request_id, occurred_at, organization_id, project_id, endpoint, model, upstream, stream, status, outcome,
    input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, audio_input_tokens,
    audio_output_tokens, cost_nano_usd, cost_nano_eur, price_nano, price_nano_tokens, price_nano_eur, currency,
    usd_per_eur, usage_source, request_bytes, response_bytes, duration_ms)
select
    'req_' || n, $1::timestamptz + (n - $3::bigint) * ($2::timestamptz - $1) / $4::int,
    ($5::text[])[1 + n % array_length($5::text[], 1)], null, 'chat/completions', 'model-' || n % 20, 'upstream',
    n % 10 = 0, 200, 'completed', 400, 0, 0, 100, 0, 0, 0, 900000, 800000, 1000000, 1000000, 1000000, 'EUR',
    1.1, 'provider', 2000, 1000, 800
from generate_series($3::bigint, $3::bigint + $4::int - 1) as n
"""


async def fill(pool: Pool, records: int, customers: int) -> None:
    """Half of the customers have a quota that runs out within the month."""
    async with transaction(pool) as connection:
        await sellers.put(connection, "load", example_seller())
        price = Decimal(20)
        plain = await plans.create(
            connection, "load", PlanTerms(name="plain", monthly_price=price), at=MONTH.start
        )
        quota = records * 500 // customers // 2
        limited = PlanTerms(name="quota", monthly_quota=quota, overage="bill", monthly_price=price)
        metered = await plans.create(connection, "load", limited, at=MONTH.start)
        ids = []
        for number in range(customers):
            made = await organizations.create(connection, "load", name=f"Customer {number}")
            plan = metered if number % 2 else plain
            await subscriptions.replace(
                connection, "load", made.id, plan.id, now=MONTH.start, start=MONTH.start
            )
            ids.append(made.id)
    days = (MONTH.end - MONTH.start).days
    async with reading(pool) as connection:
        await ensure_month(connection, MONTH.start)
        a_day = (MONTH.end - MONTH.start) / days
        for day in range(days):
            first, last = records * day // days, records * (day + 1) // days
            start = MONTH.start + day * a_day
            for begin in range(first, last, _AT_ONCE):
                count = min(_AT_ONCE, last - begin)
                part = a_day / (last - first)
                await connection.execute(
                    _ROWS,
                    *(
                        start + part * (begin - first),
                        start + part * (begin - first + count),
                        begin,
                        count,
                        ids,
                    ),
                    timeout=_SECONDS,
                )
        await connection.execute("analyze", timeout=_SECONDS)
