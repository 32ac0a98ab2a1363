"""Usage: single records, or sums by group."""

from typing import Annotated, get_args

from pydantic import AfterValidator, Field

from console.call import Call, Nothing, Operation, Services
from console.inputs import Id, Moment, Text
from console.paging import Page, PageQuery, cut, decode, page_of, slice_of
from ledger import usage_rows, usage_sums
from ledger.database import reading
from ledger.usage_filter import Filter
from ledger.usage_rows import UsageRow
from ledger.usage_sums import GroupKey, UsageSum

GROUP_KEYS: tuple[GroupKey, ...] = get_args(GroupKey)

UsagePage = Page[UsageRow] | Page[UsageSum]


def _known_groups(value: str) -> str:
    names = value.split(",")
    if not set(names) <= set(GROUP_KEYS) or len(set(names)) < len(names):
        raise ValueError(f"must be one or more of {', '.join(GROUP_KEYS)}, separated by commas")
    return value


class MyUsageQuery(PageQuery):
    """`from` <= time < `to`. Without `group_by` single records, the newest first."""

    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")
    project: Id | None = None
    key: Id | None = None
    member: Id | None = None
    model: Text | None = None
    group_by: Annotated[str, AfterValidator(_known_groups)] | None = Field(
        None, description="sums instead of records; several separated by commas. Days and hours are UTC."
    )

    @property
    def groups(self) -> tuple[GroupKey, ...]:
        names = (self.group_by or "").split(",")
        return tuple(sorted((key for key in GROUP_KEYS if key in names), key=names.index))


class UsageQuery(MyUsageQuery):
    organization: Id | None = None


async def find(call: Call[Nothing, UsageQuery]) -> UsagePage:
    return await _find(call.services, call.query, call.query.organization)


async def mine(call: Call[Nothing, MyUsageQuery]) -> UsagePage:
    return await _find(call.services, call.query, call.caller.organization.id)


async def _find(services: Services, query: MyUsageQuery, organization_id: str | None) -> UsagePage:
    wanted = Filter(
        start=query.start,
        end=query.end,
        organization_id=organization_id,
        project_id=query.project,
        key_id=query.key,
        member_id=query.member,
        model=query.model,
    )
    async with reading(services.pool) as connection:
        if not query.groups:
            rows = await usage_rows.rows(connection, wanted, slice_of(query), services.archive)
            return page_of(Page[UsageRow], rows, query, lambda row: (row.timestamp, row.request_id))
        after = None if query.cursor is None else decode(query.cursor, len(query.groups))
        sums = await usage_sums.sums(
            connection, wanted, query.groups, limit=query.limit + 1, after=after, archive=services.archive
        )
    kept, cursor = cut(sums, query.limit, lambda pair: pair[0])
    return Page[UsageSum](data=[total for _, total in kept], next_cursor=cursor)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/usage",
        summary="Usage records, or sums of them",
        handler=find,
        body=Nothing,
        query=UsageQuery,
        answer=UsagePage,
    ),
    Operation(
        method="GET",
        path="/api/me/usage",
        summary="Usage of the caller's organization",
        handler=mine,
        body=Nothing,
        query=MyUsageQuery,
        answer=UsagePage,
        access="key",
    ),
)
