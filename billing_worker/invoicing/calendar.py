"""Which time is to be billed next. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ledger.periods import Period


def same_wall_clock(instant: datetime, zone: str, other: str) -> datetime:
    """When the clocks of `other` show what those of `zone` show at `instant`."""
    if zone == other:
        return instant
    local = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return local.replace(tzinfo=ZoneInfo(other)).astimezone(UTC)


def cut(gaps: Iterable[Period], periods: Sequence[Period]) -> list[Period]:
    """The parts of `gaps`, none of which reaches over the end of one of `periods`."""
    return [
        Period(max(gap.start, period.start), min(gap.end, period.end))
        for gap in gaps
        for period in periods
        if gap.start < period.end and period.start < gap.end
    ]


def merged(periods: Iterable[Period]) -> list[Period]:
    """Neighbours as one; `periods` are in order and share no time."""
    found: list[Period] = []
    for period in periods:
        if found and found[-1].end == period.start:
            found[-1] = Period(found[-1].start, period.end)
        else:
            found.append(period)
    return found
