"""Insights: what is unusual, what the month will come to, and what would lower the bill."""

from typing import Self

from billing_worker.insights.sentences import sentence
from console.call import Call, Nothing, Operation
from console.inputs import Id
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import insights
from ledger.database import Pool, reading
from ledger.insights import Insight, Kind
from ledger.invoice import Language


class ToldInsight(Insight):
    """An insight, and what it says in words."""

    text: str

    @classmethod
    def told(cls, insight: Insight, language: Language) -> Self:
        return cls.model_validate({**dict(insight), "text": sentence(insight, language)})


class MyInsightQuery(PageQuery):
    """Those that hold now where `ended` is false, those that have ended where it is true, else both."""

    kind: Kind | None = None
    ended: bool | None = None
    language: Language = "en"


class InsightQuery(MyInsightQuery):
    organization: Id | None = None


async def listing(call: Call[Nothing, InsightQuery]) -> Page[ToldInsight]:
    return await _listing(call.services.pool, call.query, call.query.organization)


async def mine(call: Call[Nothing, MyInsightQuery]) -> Page[ToldInsight]:
    return await _listing(call.services.pool, call.query, call.caller.organization.id)


async def _listing(pool: Pool, query: MyInsightQuery, organization_id: str | None) -> Page[ToldInsight]:
    async with reading(pool) as connection:
        found = await insights.listing(
            connection, slice_of(query), organization_id=organization_id, kind=query.kind, ended=query.ended
        )
    rows = [ToldInsight.told(each, query.language) for each in found]
    return page_of(Page[ToldInsight], rows, query, lambda row: (row.found_at, row.id))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/insights",
        summary="What was found out about organizations' usage",
        handler=listing,
        body=Nothing,
        query=InsightQuery,
        answer=Page[ToldInsight],
    ),
    Operation(
        method="GET",
        path="/api/me/insights",
        summary="What was found out about the usage of the caller's organization",
        handler=mine,
        body=Nothing,
        query=MyInsightQuery,
        answer=Page[ToldInsight],
        access="key",
    ),
)
