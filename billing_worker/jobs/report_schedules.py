"""Reports that are due are made, and queued as mails."""

import logging
from datetime import datetime

from billing_worker.job import Context, Report
from billing_worker.reports import reporting
from billing_worker.reports.labels import TITLES
from billing_worker.reports.reporting import Request
from billing_worker.reports.spans import last_span
from billing_worker.reports.template import TooLargeError
from ledger import alerts, notifications, organizations
from ledger import report_schedules as schedules
from ledger.archive.store import ArchiveUnavailable
from ledger.archive.usage import ArchivedUsage
from ledger.database import Connection, Pool, reading, transaction
from ledger.notice_kinds import ReportReady
from ledger.notifications import MAX_ATTACHMENT_BYTES, Attachment
from ledger.pages import Position, Slice
from ledger.periods import Period
from ledger.records import rfc3339
from ledger.report_schedules import ReportSchedule
from ledger.usage_filter import Filter

ALERT = "report_failed"
_PAGE = 100

log = logging.getLogger(__name__)


async def report_schedules(context: Context, at: datetime) -> Report:
    """Each schedule reports the last span that is over, once; spans that passed while no worker ran are left out."""
    made = failed = 0
    archive = ArchivedUsage.of(context.settings.archive)
    after: Position | None = None
    while True:
        async with reading(context.pool) as connection:
            page = await schedules.listing(connection, Slice(_PAGE, after))
        for schedule in page:
            ended = await _report(context.pool, archive, schedule, at)
            made, failed = made + (ended is True), failed + (ended is False)
        if len(page) < _PAGE:
            return {"made": made, "failed": failed}
        after = Position(page[-1].created_at, page[-1].id)


async def _report(pool: Pool, archive: ArchivedUsage, schedule: ReportSchedule, at: datetime) -> bool | None:
    """Whether it was made; None where nothing was due."""
    time_zone = "UTC"
    if schedule.organization_id is not None:
        async with reading(pool) as connection:
            time_zone = (await organizations.get(connection, schedule.organization_id)).time_zone
    span = last_span(at, schedule.cadence, time_zone)
    if span.end <= schedule.done_until:
        return None
    try:
        report = await reporting.make(pool, _request(schedule, span), at, archive=archive)
    except (TooLargeError, TimeoutError, ArchiveUnavailable) as error:
        async with transaction(pool) as connection:
            message = f"a scheduled report could not be made: {error or 'it took too long'}"
            await alerts.raise_(connection, ALERT, schedule.id, "warning", message, at=at)
        log.warning("the report of the schedule %s could not be made: %s", schedule.id, type(error).__name__)
        return False
    async with transaction(pool) as connection:
        if not await schedules.done(connection, schedule.id, span.end):
            return None
        await alerts.resolve(connection, ALERT, schedule.id, at=at)
        await _tell(connection, schedule, span, report)
    return True


def _request(schedule: ReportSchedule, span: Period) -> Request:
    filters = schedule.filters
    return Request(
        schedule.template,
        schedule.format,
        schedule.language,
        Filter(
            organization_id=schedule.organization_id,
            project_id=filters.project,
            key_id=filters.key,
            model=filters.model,
        ),
        span.start,
        span.end,
    )


async def _tell(
    connection: Connection, schedule: ReportSchedule, span: Period, report: reporting.Report
) -> None:
    fits = len(report.content) <= MAX_ATTACHMENT_BYTES
    await notifications.queue(
        connection,
        kind="report_ready",
        organization_id=schedule.organization_id,
        key=f"{schedule.id}/{rfc3339(span.end)}",
        values=ReportReady(
            title=TITLES[schedule.language][schedule.template],
            start=span.start,
            end=span.end,
            attached=fits,
        ),
        attachments=[Attachment(report.name, report.media_type, report.content)] if fits else [],
        recipients=schedule.recipients,
    )
