"""How archived requests were answered, counted: by the minute they came in, and by how long they waited."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyarrow import Table

COLUMNS: Final = ("occurred_at", "first_byte_ms", "duration_ms", "status", "outcome", "endpoint")
"""What counting needs of the rows."""

_HOW: Final = ("status", "outcome", "endpoint")


@dataclass(frozen=True, slots=True)
class Answers:
    """Numbers of requests by status, outcome and endpoint, which tell whether it failed; before these stands in
    `minutes` the start of the minute, in `waits` the milliseconds to the first byte, or to the end where there is none.
    """

    minutes: Counter[tuple[datetime, int, str, str]] = field(default_factory=Counter)
    waits: Counter[tuple[int, int, str, str]] = field(default_factory=Counter)


def count(tables: "Iterable[Table]") -> Answers:
    """Of tables with COLUMNS. Memory is for the minutes and the waits that differ, not for the rows."""
    import pyarrow.compute as pc

    found = Answers()
    for table in tables:
        minute = pc.floor_temporal(table["occurred_at"], unit="minute")
        wait = pc.coalesce(table["first_byte_ms"], table["duration_ms"])
        by = table.select(_HOW).append_column("minute", minute).append_column("wait", wait)
        for row in by.group_by(["minute", *_HOW]).aggregate([([], "count_all")]).to_pylist():
            at = row["minute"].astimezone(UTC)
            found.minutes[at, row["status"], row["outcome"], row["endpoint"]] += row["count_all"]
        for row in by.group_by(["wait", *_HOW]).aggregate([([], "count_all")]).to_pylist():
            found.waits[row["wait"], row["status"], row["outcome"], row["endpoint"]] += row["count_all"]
    return found
