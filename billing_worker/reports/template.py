"""What a template is: who may see it, and how its table is made."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing_worker.reports.table import Chart, Column, Fact, Table, Value, totals
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.breakdown import Dimension, Part, breakdown
from ledger.database import Connection
from ledger.names import names_of
from ledger.periods import Period
from ledger.usage_filter import Filter

MAX_ROWS = 50_000


class TooLargeError(ValueError):
    """The report would have more rows than MAX_ROWS; the message says how to make it smaller."""

    def __init__(self) -> None:
        super().__init__(
            f"the report has more than {MAX_ROWS} rows; ask for a shorter time, or for less of it"
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is to be about, at the time `at`. `wanted` names no span: that is `period`. Days are cut by
    `time_zone`. `organization` is a name, None for all of them."""

    wanted: Filter
    period: Period
    time_zone: str
    organization: str | None
    at: datetime
    archive: ArchivedUsage = NOWHERE

    async def parts(
        self, connection: Connection, by: Sequence[Dimension], *, limit: int = MAX_ROWS + 1
    ) -> list[Part]:
        """The usage asked for, broken down. Raises ArchiveUnavailable."""
        wanted = replace(self.wanted, start=self.period.start, end=self.period.end)
        return await breakdown(
            connection, wanted, by, limit=limit, time_zone=self.time_zone, archive=self.archive
        )


@dataclass(frozen=True, slots=True)
class Template:
    """`make` raises TooLargeError. `for_admins`: it shows what concerns all organizations together."""

    name: str
    make: Callable[[Connection, Asked], Awaitable[Table]]
    for_admins: bool = False


def table(
    template: str,
    asked: Asked,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[Value, ...]],
    *,
    facts: tuple[Fact, ...] = (),
    chart: Chart | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """With the parts that every table has. `rows` were asked for with one more than allowed. Raises TooLargeError."""
    if len(rows) > MAX_ROWS:
        raise TooLargeError
    return Table(
        template=template,
        period=asked.period,
        time_zone=asked.time_zone,
        organization=asked.organization,
        made_at=asked.at,
        columns=columns,
        rows=tuple(rows),
        totals=totals(columns, rows),
        facts=facts,
        chart=chart,
        notes=notes,
    )


async def named(connection: Connection, ids: set[str | None]) -> Mapping[str | None, str | None]:
    """What people call the organizations, projects and keys with these ids; an id that is unknown is its own name."""
    known = await names_of(connection, ids)
    return {each: None if each is None else known.get(each, each) for each in ids}
