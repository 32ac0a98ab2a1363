"""Usage, read: single records."""

from typing import Any

from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Connection
from ledger.pages import Position, Slice
from ledger.records import Instant, Record, nano_text
from ledger.usage_filter import Filter


class UsageRow(Record):
    """One request. `price` is what the organization pays, in `currency`; `price_eur` the same in euros."""

    request_id: str
    timestamp: Instant
    organization_id: str
    project_id: str | None
    key_id: str | None
    member_id: str | None
    endpoint: str
    model: str
    upstream: str
    stream: bool
    status: int
    outcome: str
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int
    image_input_tokens: int
    image_output_tokens: int
    quantities: dict[str, int]
    cost_usd: str
    cost_eur: str
    price: str
    currency: str
    price_eur: str
    usd_per_eur: str
    price_ref: str | None
    usage_source: str
    request_bytes: int
    response_bytes: int
    first_byte_ms: int | None
    duration_ms: int
    search_term: str | None

    @property
    def position(self) -> Position:
        return Position(self.timestamp, self.request_id)


_MONEY = {"cost_usd": "cost_nano_usd", "cost_eur": "cost_nano_eur", "price_eur": "price_nano_eur"}


async def rows(
    connection: Connection, wanted: Filter, part: Slice, archive: ArchivedUsage = NOWHERE
) -> list[UsageRow]:
    """Single records, the newest first, also of months that are archived. Raises ArchiveUnavailable."""
    values: list[Any] = [*part.arguments]
    condition = wanted.condition(values)
    found = await connection.fetch(
        f"select * from usage where {condition}"
        " and ($1::timestamptz is null or (occurred_at, request_id) < ($1, $2::text))"
        " order by occurred_at desc, request_id desc limit $3",
        *values,
    )
    since = found[-1]["occurred_at"] if len(found) == part.limit else None
    made = [_row(dict(row)) for row in found]
    if archived := await archive.newest(connection, wanted, part, since):
        made += [_row(row) for row in archived]
        made.sort(key=lambda row: row.position, reverse=True)
    return made[: part.limit]


def _row(row: dict[str, Any]) -> UsageRow:
    row["timestamp"] = row.pop("occurred_at")
    row["usd_per_eur"] = f"{row['usd_per_eur']:f}"
    row["price"] = nano_text(row.pop("price_nano"))
    for name, column in _MONEY.items():
        row[name] = nano_text(row.pop(column))
    return UsageRow.model_validate({name: row[name] for name in UsageRow.model_fields})
