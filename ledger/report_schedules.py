"""Reports that are made again and again, and sent."""

from datetime import datetime
from typing import Any, Literal, Self

import asyncpg
from pydantic import Field

from ledger import audit, organizations
from ledger.database import Connection
from ledger.errors import NotFoundError
from ledger.ids import new_id
from ledger.invoice import Language
from ledger.pages import Slice
from ledger.records import Email, Instant, Record

TemplateName = Literal["usage", "providers_models", "performance", "cost_trend", "sla", "revenue"]
FormatName = Literal["json", "csv", "xlsx", "pdf"]
Cadence = Literal["daily", "weekly", "monthly"]
_COLUMN = {"daily": "day", "weekly": "week", "monthly": "month"}
_CADENCE = {column: cadence for cadence, column in _COLUMN.items()}


class ReportFilters(Record):
    """Null does not filter."""

    project: str | None = None
    key: str | None = None
    model: str | None = None


class ReportTerms(Record):
    """Of all organizations where none is named. `recipients`: null for those in charge of it.

    Spans end at midnight of the organization's time zone, of UTC without one; weeks begin on Monday.
    """

    organization_id: str | None = None
    template: TemplateName
    format: FormatName = "pdf"
    language: Language = "en"
    cadence: Cadence
    filters: ReportFilters = ReportFilters()
    recipients: tuple[Email, ...] | None = Field(None, min_length=1, max_length=20)


class ReportSchedule(ReportTerms):
    """`done_until` is where the last span that was reported ended."""

    id: str
    done_until: Instant
    created_at: Instant

    @classmethod
    def of(cls, row: asyncpg.Record | None) -> Self:
        if row is None:
            raise LookupError("no row makes no schedule")
        return cls.model_validate({**dict(row), "cadence": _CADENCE[row["cadence"]]})


async def create(connection: Connection, actor: str, terms: ReportTerms, *, now: datetime) -> ReportSchedule:
    """The first span that is reported is the one that ends next. Raises NotFoundError."""
    if terms.organization_id is not None:
        await organizations.get(connection, terms.organization_id)
    row = await connection.fetchrow(
        "insert into report_schedule (id, organization_id, template, format, language, cadence, filters, recipients,"
        " done_until) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *",
        *(new_id("rep"), terms.organization_id, terms.template, terms.format, terms.language),
        *(_COLUMN[terms.cadence], terms.filters.model_dump(), terms.recipients, now),
    )
    made = ReportSchedule.of(row)
    detail: dict[str, Any] = terms.model_dump(mode="json")
    await audit.write(connection, actor, "report_schedule.create", made.id, detail)
    return made


async def listing(connection: Connection, part: Slice) -> list[ReportSchedule]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from report_schedule where $1::timestamptz is null or (created_at, id) > ($1, $2::text)"
        " order by created_at, id limit $3",
        *part.arguments,
    )
    return [ReportSchedule.of(row) for row in rows]


async def delete(connection: Connection, actor: str, schedule_id: str) -> ReportSchedule:
    """Raises NotFoundError."""
    row = await connection.fetchrow("delete from report_schedule where id = $1 returning *", schedule_id)
    if row is None:
        raise NotFoundError("report schedule", schedule_id)
    await audit.write(connection, actor, "report_schedule.delete", schedule_id, {})
    return ReportSchedule.of(row)


async def done(connection: Connection, schedule_id: str, until: datetime) -> bool:
    """Notes that spans up to `until` are reported; False if that was so already, or there is no such schedule."""
    changed = await connection.fetchval(
        "update report_schedule set done_until = $2 where id = $1 and done_until < $2 returning id",
        *(schedule_id, until),
    )
    return changed is not None
