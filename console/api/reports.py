"""Reports: made at once as a file, or again and again and sent by mail."""

from datetime import datetime

from pydantic import Field, model_validator

from billing_worker.reports import reporting
from billing_worker.reports.catalogue import FORMATS, TEMPLATES
from billing_worker.reports.reporting import Request, SpanError
from billing_worker.reports.template import TooLargeError
from console.call import Call, Input, Nothing, Operation, Services
from console.file import File
from console.inputs import Id, Moment, Text
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import report_schedules
from ledger.database import reading, transaction
from ledger.invoice import Language
from ledger.report_schedules import FormatName, ReportSchedule, ReportTerms, TemplateName
from ledger.usage_filter import Filter
from proxy.errors import Refusal


class MyReportQuery(Input):
    """`from` <= time < `to`; the organization's present month without."""

    template: TemplateName
    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")
    format: FormatName = "json"
    language: Language = "en"
    project: Id | None = None
    key: Id | None = None
    model: Text | None = None


class ReportQuery(MyReportQuery):
    organization: Id | None = None


class NewReportSchedule(Input, ReportTerms):
    @model_validator(mode="after")
    def _told_to_somebody(self) -> "NewReportSchedule":
        if TEMPLATES[self.template].for_admins and self.organization_id is not None:
            raise ValueError(f"'{self.template}' is of all organizations; leave out 'organization_id'")
        return self


async def make(call: Call[Nothing, ReportQuery]) -> File:
    return await _make(call.services, call.query, call.query.organization, call.now)


async def mine(call: Call[Nothing, MyReportQuery]) -> File:
    if TEMPLATES[call.query.template].for_admins:
        raise Refusal(403, f"'template': '{call.query.template}' is for administrators", param="template")
    return await _make(call.services, call.query, call.caller.organization.id, call.now)


async def _make(services: Services, query: MyReportQuery, organization_id: str | None, now: datetime) -> File:
    wanted = Filter(
        organization_id=organization_id, project_id=query.project, key_id=query.key, model=query.model
    )
    request = Request(query.template, query.format, query.language, wanted, query.start, query.end)
    try:
        report = await reporting.make(services.pool, request, now, archive=services.archive)
    except SpanError as error:
        raise Refusal(400, f"'to': {error}", code="invalid_value", param="to") from None
    except TooLargeError as error:
        raise Refusal(400, str(error), code="report_too_large") from None
    return File(report.content, report.media_type, report.name)


async def schedule(call: Call[NewReportSchedule, Nothing]) -> ReportSchedule:
    terms = ReportTerms.model_validate(dict(call.body))
    async with transaction(call.services.pool) as connection:
        return await report_schedules.create(connection, call.actor, terms, now=call.now)


async def scheduled(call: Call[Nothing, PageQuery]) -> Page[ReportSchedule]:
    async with reading(call.services.pool) as connection:
        rows = await report_schedules.listing(connection, slice_of(call.query))
    return page_of(Page[ReportSchedule], rows, call.query, lambda row: (row.created_at, row.id))


async def unschedule(call: Call[Nothing, Nothing]) -> ReportSchedule:
    async with transaction(call.services.pool) as connection:
        return await report_schedules.delete(connection, call.actor, call.ids["id"])


_MEDIA_TYPES = tuple(each.media_type.partition(";")[0] for each in FORMATS.values())

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/reports",
        summary="Make a report, of one organization or of all",
        handler=make,
        body=Nothing,
        query=ReportQuery,
        answer=File,
        media_types=_MEDIA_TYPES,
    ),
    Operation(
        method="GET",
        path="/api/me/reports",
        summary="Make a report of the caller's organization",
        handler=mine,
        body=Nothing,
        query=MyReportQuery,
        answer=File,
        media_types=_MEDIA_TYPES,
        access="key",
    ),
    Operation(
        method="POST",
        path="/api/reports/schedules",
        summary="Have a report made and sent every day, week or month",
        handler=schedule,
        body=NewReportSchedule,
        query=Nothing,
        answer=ReportSchedule,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/reports/schedules",
        summary="List reports that are made again and again",
        handler=scheduled,
        body=Nothing,
        query=PageQuery,
        answer=Page[ReportSchedule],
    ),
    Operation(
        method="DELETE",
        path="/api/reports/schedules/{id}",
        summary="End one of them",
        handler=unschedule,
        body=Nothing,
        query=Nothing,
        answer=ReportSchedule,
    ),
)
