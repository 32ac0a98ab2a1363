"""Usage of a span of time, broken down: sums by day, project, model and the like, with how long answers took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from ledger import rollups
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Connection
from ledger.periods import Period, days_in
from ledger.usage_filter import Filter

Dimension = Literal[
    "day", "hour", "organization_id", "project_id", "key_id", "model", "endpoint", "upstream", "stream"
]
"""Days are those of the calendar asked for, hours those of UTC."""

_SECONDS = 20.0
_SUMS: Final = (
    *("records", "requests", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"),
    *("reasoning_tokens", "cost_nano_usd", "cost_nano_eur", "price_nano_eur", "request_bytes"),
    *("response_bytes", "duration_ms", "first_byte_ms", "first_bytes"),
)
_GROUPS: Final[dict[Dimension, str]] = {
    "day": "(at at time zone $1)::date",
    "hour": "date_trunc('hour', at, 'UTC')",
    "organization_id": "organization_id",
    "project_id": "nullif(project_id, '')",
    "key_id": "nullif(key_id, '')",
    "model": "model",
    "endpoint": "endpoint",
    "upstream": "upstream",
    "stream": "stream",
}


@dataclass(frozen=True, slots=True)
class Part:
    """The sums of one group; `by` are its values in the order of the dimensions, None for a request without such.

    `errors` are records that the upstream failed. `first_byte_ms` is the sum over `first_bytes` of them. `latencies`
    counts durations by ledger/latencies.py.
    """

    by: tuple[Any, ...]
    records: int
    requests: int
    errors: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    cost_nano_eur: int
    price_nano_eur: int
    request_bytes: int
    response_bytes: int
    duration_ms: int
    first_byte_ms: int
    first_bytes: int
    latencies: tuple[int, ...]

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


async def breakdown(
    connection: Connection,
    wanted: Filter,
    by: Sequence[Dimension],
    *,
    limit: int,
    time_zone: str = "UTC",
    archive: ArchivedUsage = NOWHERE,
) -> list[Part]:
    """At most `limit` groups, in the order of the dimensions. Days are cut by `time_zone`; for those of a zone that is
    not UTC, `wanted` has a start and an end. Raises ArchiveUnavailable for hours of archived months that are cut."""
    values: list[Any] = [time_zone, limit]
    local_days = "day" in by and time_zone != "UTC"
    columns = [each for each in by if each not in ("day", "hour")]
    grain: rollups.Grain = "hour" if "hour" in by or local_days else "span"
    cuts = _midnights(wanted, time_zone) if local_days else []
    source = rollups.source(
        wanted,
        values,
        [*columns, "status", "outcome", *_SUMS, "latencies"],
        grain=grain,
        cuts=cuts,
        besides=await archive.cut(connection, wanted, grain, cuts),
    )
    groups = "".join(f"{_GROUPS[each]} as g{number}, " for number, each in enumerate(by))
    places = ", ".join(f"g{number}" for number in range(len(by)))
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in _SUMS)
    rows = await connection.fetch(
        f"select {groups}{sums}, usage_latencies_sum(latencies) as latencies,"
        " coalesce(sum(records) filter (where status >= 500 or outcome in ('upstream_error', 'upstream_cut')), 0)"
        f"::bigint as errors from ({source}) found where $1::text is not null"
        f"{f' group by {places} order by {places}' if by else ''} limit $2",
        *values,
        timeout=_SECONDS,
    )
    return [_part(dict(row), len(by)) for row in rows]


def _part(values: dict[str, Any], dimensions: int) -> Part:
    by = tuple(values.pop(f"g{number}") for number in range(dimensions))
    return Part(by=by, latencies=tuple(values.pop("latencies")), **values)


def _midnights(wanted: Filter, time_zone: str) -> list[datetime]:
    """Where days turn within a full hour of UTC, as in India."""
    if wanted.start is None or wanted.end is None:
        raise ValueError("days of a calendar need a start and an end")
    turns = (day.start for _, day in days_in(Period(wanted.start, wanted.end), time_zone))
    return [turn for turn in turns if turn.minute or turn.second]
