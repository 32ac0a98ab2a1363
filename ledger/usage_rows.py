"""Usage, read: single records, and sums of them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from ledger.database import Connection
from ledger.pages import Position, Slice
from ledger.records import Instant, Record, nano_text
from ledger.usage import TOKENS

GroupKey = Literal[
    "organization", "project", "key", "member", "model", "endpoint", "upstream", "day", "hour", "status"
]


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


class UsageSum(Record):
    """The sum over one group; the fields before `requests` are null unless grouped by."""

    organization_id: str | None = None
    project_id: str | None = None
    key_id: str | None = None
    member_id: str | None = None
    model: str | None = None
    endpoint: str | None = None
    upstream: str | None = None
    day: str | None = None
    hour: str | None = None
    status: int | None = None
    requests: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int
    image_input_tokens: int
    image_output_tokens: int
    total_tokens: int
    cost_usd: str
    cost_eur: str
    price_eur: str
    request_bytes: int
    response_bytes: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records: `start` <= time < `end`, and those of the named objects. None does not filter."""

    start: datetime | None = None
    end: datetime | None = None
    organization_id: str | None = None
    project_id: str | None = None
    key_id: str | None = None
    member_id: str | None = None
    model: str | None = None

    def sql(self, first: int) -> tuple[str, list[Any]]:
        """A condition with parameters numbered from `first`, and their values."""
        conditions = [
            ("occurred_at >= ${}", self.start),
            ("occurred_at < ${}", self.end),
            ("organization_id = ${}", self.organization_id),
            ("project_id = ${}", self.project_id),
            ("key_id = ${}", self.key_id),
            ("member_id = ${}", self.member_id),
            ("model = ${}", self.model),
        ]
        asked = [(text, value) for text, value in conditions if value is not None]
        texts = [text.format(number) for number, (text, _) in enumerate(asked, first)]
        return " and ".join(texts) or "true", [value for _, value in asked]


# Each group key: the field of the sum that it fills, and the text that groups and orders.
_GROUPS: dict[GroupKey, tuple[str, str]] = {
    "organization": ("organization_id", "organization_id"),
    "project": ("project_id", "coalesce(project_id, '')"),
    "key": ("key_id", "coalesce(key_id, '')"),
    "member": ("member_id", "coalesce(member_id, '')"),
    "model": ("model", "model"),
    "endpoint": ("endpoint", "endpoint"),
    "upstream": ("upstream", "upstream"),
    "day": ("day", "to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD')"),
    "hour": ("hour", """to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')"""),
    "status": ("status", "status::text"),
}
_MONEY = {"cost_usd": "cost_nano_usd", "cost_eur": "cost_nano_eur", "price_eur": "price_nano_eur"}
_SUMMED = (*TOKENS, *_MONEY.values(), "request_bytes", "response_bytes")


async def rows(connection: Connection, wanted: Filter, part: Slice) -> list[UsageRow]:
    """Single records, the newest first."""
    condition, values = wanted.sql(4)
    found = await connection.fetch(
        f"select * from usage where {condition}"
        " and ($1::timestamptz is null or (occurred_at, request_id) < ($1, $2::text))"
        " order by occurred_at desc, request_id desc limit $3",
        *(*part.arguments, *values),
    )
    return [_row(dict(row)) for row in found]


async def sums(
    connection: Connection,
    wanted: Filter,
    group_by: tuple[GroupKey, ...],
    *,
    limit: int,
    after: tuple[str, ...] | None = None,
) -> list[tuple[tuple[str, ...], UsageSum]]:
    """Sums by group, each with its place in the list; in the order of the places, those after `after`."""
    fields = [_GROUPS[key][0] for key in group_by]
    groups = ", ".join(f'({_GROUPS[key][1]}) collate "C" as g{n}' for n, key in enumerate(group_by))
    places = ", ".join(f"g{n}" for n in range(len(group_by)))
    amounts = ", ".join(f"sum({name})::numeric as {name}" for name in _SUMMED)
    condition, values = wanted.sql(len(group_by) + 2)
    later = ", ".join(f"${n + 2}::text" for n in range(len(group_by)))
    passed = f"({places}) > ({later})" if after is not None else f"coalesce({later}) is null"
    found = await connection.fetch(
        f"select * from (select {groups}, count(*) as requests, {amounts}"
        f" from usage where {condition}"
        f" group by {places}) grouped where {passed} order by {places} limit $1",
        *(limit, *(after if after is not None else (None,) * len(group_by)), *values),
    )
    return [_sum(dict(row), fields) for row in found]


def _row(row: dict[str, Any]) -> UsageRow:
    row["timestamp"] = row.pop("occurred_at")
    row["usd_per_eur"] = f"{row['usd_per_eur']:f}"
    row["price"] = nano_text(row.pop("price_nano"))
    for name, column in _MONEY.items():
        row[name] = nano_text(row.pop(column))
    del row["recorded_at"], row["place"], row["price_nano_tokens"]
    return UsageRow.model_validate(row)


def _sum(row: dict[str, Any], fields: list[str]) -> tuple[tuple[str, ...], UsageSum]:
    place = tuple(row.pop(f"g{number}") for number in range(len(fields)))
    for name, column in _MONEY.items():
        row[name] = nano_text(row.pop(column))
    row = {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}
    row["total_tokens"] = row["input_tokens"] + row["output_tokens"]
    row.update({name: text or None for name, text in zip(fields, place, strict=True)})
    return place, UsageSum.model_validate(row)
