"""Usage of a span of time, broken down: sums by day, project, model and the like, with how long answers took.

Read from the hourly and daily sums, so that it takes as long for millions of records as for thousands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from ledger.database import Connection
from ledger.periods import Period

Dimension = Literal[
    "day", "organization_id", "project_id", "key_id", "member_id", "model", "endpoint", "upstream", "hour"
]
"""Days are those of the calendar asked for, hours those of UTC."""

LATENCY_BOUNDS_MS = (
    *(50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000),
    120000,
)
"""Upper ends of the classes that durations are counted in; one more class is of what lasted longer."""

_SECONDS = 20.0
_SUMS = (
    *("records", "requests", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens"),
    *("reasoning_tokens", "cost_nano_usd", "cost_nano_eur", "price_nano_eur", "request_bytes"),
    *("response_bytes", "duration_ms", "first_byte_ms", "first_bytes"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which usage: of whole hours of UTC, and of the named objects; None does not filter. `time_zone` cuts days."""

    period: Period
    time_zone: str = "UTC"
    organization_id: str | None = None
    project_id: str | None = None
    key_id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The sums of one group; `by` are its values in the order of the dimensions, None for a request without such.

    `errors` are records that the upstream failed. `first_byte_ms` is the sum over `first_bytes` of them. `latencies`
    counts durations by LATENCY_BOUNDS_MS.
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


_GROUPS: dict[Dimension, str] = {
    "day": "(starts_at at time zone $1)::date",
    "hour": "starts_at",
    "organization_id": "organization_id",
    "project_id": "nullif(project_id, '')",
    "key_id": "nullif(key_id, '')",
    "member_id": "nullif(member_id, '')",
    "model": "model",
    "endpoint": "endpoint",
    "upstream": "upstream",
}


def whole_hours(period: Period) -> Period:
    """The whole hours of UTC that hold the period."""
    start = period.start.replace(minute=0, second=0, microsecond=0)
    end = period.end.replace(minute=0, second=0, microsecond=0)
    return Period(start, end if end == period.end else end + timedelta(hours=1))


async def breakdown(
    connection: Connection, wanted: Wanted, by: Sequence[Dimension], *, limit: int
) -> list[Part]:
    """Groups in the order of the dimensions, at most `limit`."""
    groups = ", ".join(f"{_GROUPS[each]} as g{number}" for number, each in enumerate(by))
    places = ", ".join(f"g{number}" for number in range(len(by)))
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in _SUMS)
    spans = _spans(
        wanted.period, by_utc_days=wanted.time_zone == "UTC" or "day" not in by, hours="hour" in by
    )
    values: list[Any] = [wanted.time_zone, limit]
    conditions = ""
    for column in ("organization_id", "project_id", "key_id", "model"):
        if (value := getattr(wanted, column)) is not None:
            values.append(value)
            conditions += f" and {column} = ${len(values)}"
    parts = []
    for span, first, last in spans:
        values += [first, last]
        parts.append(
            f"select * from usage_sum where span = '{span}' and starts_at >= ${len(values) - 1}"
            f" and starts_at < ${len(values)}{conditions}"
        )
    rows = await connection.fetch(
        f"select {groups}{', ' if by else ''}{sums}, usage_latencies_sum(latencies) as latencies,"
        " coalesce(sum(records) filter (where status >= 500 or outcome in ('upstream_error', 'upstream_cut')), 0)"
        f"::bigint as errors from ({' union all '.join(parts)}) found where $1::text is not null"
        f"{f' group by {places} order by {places}' if by else ''} limit $2",
        *values,
        timeout=_SECONDS,
    )
    return [_part(row, len(by)) for row in rows]


def _part(row: Any, dimensions: int) -> Part:
    values = dict(row)
    by = tuple(values.pop(f"g{number}") for number in range(dimensions))
    return Part(by=by, latencies=tuple(values.pop("latencies")), **values)


def _spans(period: Period, *, by_utc_days: bool, hours: bool) -> list[tuple[str, datetime, datetime]]:
    """Whole days of UTC where they serve, hours at the edges; none twice."""
    first = _midnight(period.start.date() + timedelta(days=period.start != _midnight(period.start.date())))
    last = _midnight(period.end.date())
    if hours or not by_utc_days or first >= last:
        return [("hour", period.start, period.end)]
    spans = [("hour", period.start, first), ("day", first, last), ("hour", last, period.end)]
    return [each for each in spans if each[1] < each[2]]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
