"""Sums of usage over any span of time: the days and hours that are kept as sums, and rows where the span cuts an hour.

The sums are kept by the database itself, in the statement that changes the rows, so whoever sees a row sees its sums.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from ledger.usage import TOKENS
from ledger.usage_filter import Filter

DIMENSIONS: Final = (
    *("organization_id", "project_id", "key_id", "member_id", "endpoint", "model", "upstream"),
    *("stream", "status", "outcome", "currency"),
)
"""What sums are kept apart by; '' where a row has no project, key or member."""

AMOUNTS: Final = (
    *("records", "requests", *TOKENS, "cost_nano_usd", "cost_nano_eur"),
    *("price_nano", "price_nano_tokens", "price_nano_eur"),
    *("request_bytes", "response_bytes", "duration_ms", "first_byte_ms", "first_bytes"),
)
"""Plain numbers. `requests` are customers' calls, of which `records` has more where a call used several models; of
`first_bytes` of them `first_byte_ms` is known and summed up."""

Grain = Literal["span", "hour"]

_HOUR: Final = timedelta(hours=1)
_OF_A_ROW: Final = {
    "records": "1::bigint",
    "requests": "(strpos(request_id, '.') = 0)::int::bigint",
    "first_byte_ms": "coalesce(first_byte_ms, 0)::bigint",
    "first_bytes": "(first_byte_ms is not null)::int::bigint",
    "duration_ms": "duration_ms::bigint",
    "latencies": "usage_latencies_of(duration_ms)",
    **{name: f"coalesce({name}, '')" for name in ("project_id", "key_id", "member_id")},
}
"""Where a column of the sums is not the row's own of that name."""


class Span(NamedTuple):
    """Half-open; None is without end."""

    start: datetime | None
    end: datetime | None


class Parts(NamedTuple):
    """What a span is put together from, each instant of it once. Of `hours` those in `cut` are left out."""

    days: list[Span]
    hours: list[Span]
    rows: list[Span]
    cut: list[datetime]


def parts(span: Span, grain: Grain = "span", cuts: Sequence[datetime] = ()) -> Parts:
    """The fewest rows to read. With the grain `hour`, or with `cuts`, days are given by their hours; an hour that a cut
    lies inside of is given by rows."""
    start, end = span
    if start is not None and end is not None and start >= end:
        return Parts([], [], [], [])
    first, last = _full(start, _HOUR), _begun(end, _HOUR)
    if first is not None and last is not None and first > last:
        return Parts([], [], [span], [])
    edges = [each for each in (Span(start, first), Span(last, end)) if each.start != each.end]
    cut = sorted(
        {hour for each in cuts if (hour := _start(each, _HOUR)) != each and _inside(hour, first, last)}
    )
    rows = [*edges, *(Span(hour, hour + _HOUR) for hour in cut)]
    whole = Span(first, last)
    if first is not None and first == last:
        return Parts([], [], rows, [])
    if grain == "hour" or cuts:
        return Parts([], [whole], rows, cut)
    first_day, last_day = _full(first, timedelta(days=1)), _begun(last, timedelta(days=1))
    if first_day is not None and last_day is not None and first_day >= last_day:
        return Parts([], [whole], rows, [])
    hours = [each for each in (Span(first, first_day), Span(last_day, last)) if each.start != each.end]
    return Parts([Span(first_day, last_day)], hours, rows, [])


def source(
    wanted: Filter,
    values: list[Any],
    columns: Sequence[str],
    *,
    grain: Grain = "span",
    cuts: Sequence[datetime] = (),
    besides: Sequence[dict[str, Any]] = (),
) -> str:
    """A query, to be put in brackets, whose rows add up to what is wanted. Appends its parameters to `values`.

    Its columns are `at`, the instant (of a row) or the start of the hour or day that a row of the result is of, and
    `columns`: of DIMENSIONS, AMOUNTS, `latencies` (counts by ledger/latencies.py) and `quantities`. `besides` are rows
    of `usage` that the table has no more: those within the rows of `parts` are counted.
    """
    made = parts(Span(wanted.start, wanted.end), grain, cuts)
    names = ", ".join(columns)
    queries = []
    for table, spans in (("usage_day", made.days), ("usage_hour", made.hours)):
        for span in spans:
            condition = replace(wanted, start=span.start, end=span.end).condition(values, "starts_at")
            if made.cut:
                values.append(made.cut)
                condition += f" and starts_at <> all(${len(values)}::timestamptz[])"
            queries.append(f"select starts_at as at, {names} from {table} where {condition}")
    own = ", ".join(f"{_OF_A_ROW[name]} as {name}" if name in _OF_A_ROW else name for name in columns)
    for span in made.rows:
        condition = replace(wanted, start=span.start, end=span.end).condition(values)
        queries.append(f"select occurred_at as at, {own} from usage where {condition}")
        if besides:
            values.append(list(besides))
            told = f"jsonb_populate_recordset(null::usage, ${len(values)}::jsonb)"
            condition = replace(wanted, start=span.start, end=span.end).condition(values)
            queries.append(f"select occurred_at as at, {own} from {told} where {condition}")
    if not queries:
        queries.append(f"select occurred_at as at, {own} from usage where false")
    return " union all ".join(queries)


def _start(instant: datetime, step: timedelta) -> datetime:
    """Of the UTC hour or day around it."""
    since = instant - instant.replace(hour=0, minute=0, second=0, microsecond=0)
    return instant - since % step


def _begun(instant: datetime | None, step: timedelta) -> datetime | None:
    return None if instant is None else _start(instant, step)


def _full(instant: datetime | None, step: timedelta) -> datetime | None:
    """The next start, which is the instant itself if it is one."""
    if instant is None or (begun := _start(instant, step)) == instant:
        return instant
    return begun + step


def _inside(hour: datetime, first: datetime | None, last: datetime | None) -> bool:
    return (first is None or first <= hour) and (last is None or hour < last)
