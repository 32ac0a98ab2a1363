"""Making a report: its table from the ledger, and that written in a format, off the event loop."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from billing_worker.reports.catalogue import FORMATS, TEMPLATES
from billing_worker.reports.template import Asked
from ledger import organizations
from ledger.archive.usage import NOWHERE, ArchivedUsage
from ledger.database import Pool, reading
from ledger.invoice import Language
from ledger.periods import Period, month_of
from ledger.report_schedules import FormatName, TemplateName
from ledger.usage_filter import Filter

SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. Of all organizations where `wanted` names none; of the present month where `start` and `end`
    are None."""

    template: TemplateName
    format: FormatName
    language: Language
    wanted: Filter
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A file. `name` is fit for a header and a disk."""

    name: str
    media_type: str
    content: bytes
    period: Period


class SpanError(ValueError):
    """The time asked for ends before it begins."""


async def make(pool: Pool, request: Request, at: datetime, *, archive: ArchivedUsage = NOWHERE) -> Report:
    """The report as the ledger is at `at`, within SECONDS.

    Raises NotFoundError for the organization, SpanError, TooLargeError, TimeoutError, ArchiveUnavailable and
    DatabaseUnavailable.
    """
    async with asyncio.timeout(SECONDS):
        async with reading(pool) as connection:
            name, time_zone = None, "UTC"
            if request.wanted.organization_id is not None:
                organization = await organizations.get(connection, request.wanted.organization_id)
                name, time_zone = organization.name, organization.time_zone
            period = _period(request, at, time_zone)
            wanted = replace(request.wanted, start=None, end=None)
            asked = Asked(wanted, period, time_zone, name, at, archive)
            table = await TEMPLATES[request.template].make(connection, asked)
        form = FORMATS[request.format]
        content = await asyncio.to_thread(form.write, table, request.language)
    return Report(
        f"{request.template}-{period.start:%Y%m%d}.{request.format}", form.media_type, content, period
    )


def _period(request: Request, at: datetime, time_zone: str) -> Period:
    month = month_of(request.start or at, time_zone)
    period = Period(request.start or month.start, request.end or (month.end if request.start else at))
    if period.start >= period.end:
        raise SpanError("must be later than 'from'")
    return period
