"""Usage, summed up by group."""

from decimal import Decimal
from typing import Any, Literal

from ledger import rollups
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Connection
from ledger.records import Record, nano_text
from ledger.usage import TOKENS
from ledger.usage_filter import Filter

GroupKey = Literal[
    "organization", "project", "key", "member", "model", "endpoint", "upstream", "day", "hour", "status"
]


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


# Each group key: the field of the sum that it fills, the column that it needs, and the text that groups and orders.
_GROUPS: dict[GroupKey, tuple[str, str | None, str]] = {
    "organization": ("organization_id", "organization_id", "organization_id"),
    "project": ("project_id", "project_id", "project_id"),
    "key": ("key_id", "key_id", "key_id"),
    "member": ("member_id", "member_id", "member_id"),
    "model": ("model", "model", "model"),
    "endpoint": ("endpoint", "endpoint", "endpoint"),
    "upstream": ("upstream", "upstream", "upstream"),
    "day": ("day", None, "to_char(at at time zone 'UTC', 'YYYY-MM-DD')"),
    "hour": ("hour", None, """to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')"""),
    "status": ("status", "status", "status::text"),
}
_MONEY = {"cost_usd": "cost_nano_usd", "cost_eur": "cost_nano_eur", "price_eur": "price_nano_eur"}
_SUMMED = (*TOKENS, *_MONEY.values(), "request_bytes", "response_bytes")


async def sums(
    connection: Connection,
    wanted: Filter,
    group_by: tuple[GroupKey, ...],
    *,
    limit: int,
    after: tuple[str, ...] | None = None,
    archive: ArchivedUsage = NOWHERE,
) -> list[tuple[tuple[str, ...], UsageSum]]:
    """Sums by group, each with its place in the list; in the order of the places, those after `after`.

    Also of what is archived, where only hours that the span cuts are looked up. Raises ArchiveUnavailable.
    """
    fields = [_GROUPS[key][0] for key in group_by]
    groups = ", ".join(f'({_GROUPS[key][2]}) collate "C" as g{n}' for n, key in enumerate(group_by))
    places = ", ".join(f"g{n}" for n in range(len(group_by)))
    amounts = ", ".join(f"sum({name})::numeric as {name}" for name in _SUMMED)
    values: list[Any] = [limit, *(after if after is not None else (None,) * len(group_by))]
    later = ", ".join(f"${n + 2}::text" for n in range(len(group_by)))
    passed = f"({places}) > ({later})" if after is not None else f"coalesce({later}) is null"
    columns = dict.fromkeys(column for key in group_by if (column := _GROUPS[key][1]))
    grain: rollups.Grain = "hour" if "hour" in group_by else "span"
    cut = await archive.cut(connection, wanted, grain)
    usage = rollups.source(wanted, values, [*columns, "records", *_SUMMED], grain=grain, besides=cut)
    found = await connection.fetch(
        f"select * from (select {groups}, sum(records)::numeric as requests, {amounts} from ({usage}) as used"
        f" group by {places}) grouped where {passed} order by {places} limit $1",
        *values,
    )
    return [_sum(dict(row), fields) for row in found]


def _sum(row: dict[str, Any], fields: list[str]) -> tuple[tuple[str, ...], UsageSum]:
    place = tuple(row.pop(f"g{number}") for number in range(len(fields)))
    for name, column in _MONEY.items():
        row[name] = nano_text(row.pop(column))
    row = {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}
    row["total_tokens"] = row["input_tokens"] + row["output_tokens"]
    row.update({name: text or None for name, text in zip(fields, place, strict=True)})
    return place, UsageSum.model_validate(row)
