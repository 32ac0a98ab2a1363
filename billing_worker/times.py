"""When a job is due: at times of the clock, or again and again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from croniter import croniter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """The times of a cron line of five fields, always in UTC: `0 6 * * *` is 06:00 every day. Raises ValueError."""

    line: str

    def __post_init__(self) -> None:
        if len(self.line.split()) != 5 or not croniter.is_valid(self.line):
            raise ValueError(f"'{self.line}' is no cron line")

    def __str__(self) -> str:
        return self.line

    def latest(self, now: datetime) -> datetime:
        """The last time up to `now`, itself included."""
        moment: datetime = croniter(self.line, now.astimezone(UTC) + _TICK).get_prev(datetime)
        return moment

    def next(self, now: datetime) -> datetime:
        """The first time after `now`."""
        moment: datetime = croniter(self.line, now.astimezone(UTC)).get_next(datetime)
        return moment


@dataclass(frozen=True, slots=True)
class Every:
    """All multiples of an interval since 1970, so that workers agree on them. Raises ValueError."""

    interval: timedelta

    def __post_init__(self) -> None:
        if self.interval <= timedelta():
            raise ValueError("an interval must be longer than nothing")

    def __str__(self) -> str:
        return f"every {self.interval.total_seconds():g} s"

    def latest(self, now: datetime) -> datetime:
        """The last time up to `now`, itself included."""
        return _EPOCH + (now - _EPOCH) // self.interval * self.interval

    def next(self, now: datetime) -> datetime:
        """The first time after `now`."""
        return self.latest(now) + self.interval


Times = Cron | Every
