"""Usage rows written straight into the ledger."""

from datetime import UTC, datetime
from typing import Any

from ledger.database import Pool, reading
from ledger.usage_partitions import ensure_month


async def enter(pool: Pool, request_id: str, organization_id: str, **fields: Any) -> None:
    """One row; `fields` are columns."""
    row: dict[str, Any] = {
        "request_id": request_id,
        "occurred_at": datetime(2026, 11, 21, 12, tzinfo=UTC),
        "organization_id": organization_id,
        "endpoint": "chat/completions",
        "model": "gpt-4o",
        "upstream": "openai",
        "stream": False,
        "status": 200,
        "outcome": "completed",
        "input_tokens": 10,
        "cached_input_tokens": 4,
        "cache_write_tokens": 0,
        "output_tokens": 5,
        "reasoning_tokens": 2,
        "audio_input_tokens": 0,
        "audio_output_tokens": 0,
        "cost_nano_usd": 75_000,
        "cost_nano_eur": 65_000,
        "price_nano": 78_000,
        "price_nano_eur": 78_000,
        "currency": "EUR",
        "usd_per_eur": 1.15,
        "usage_source": "provider",
        "request_bytes": 100,
        "response_bytes": 200,
        "duration_ms": 30,
        **fields,
    }
    columns = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    async with reading(pool) as connection:
        await ensure_month(connection, row["occurred_at"])
        await connection.execute(f"insert into usage ({columns}) values ({places})", *row.values())
