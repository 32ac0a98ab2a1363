"""The audit: who changed what."""

from console.call import Call, Nothing, Operation
from console.inputs import Id
from console.paging import Page, PageQuery, before_of, cut
from ledger import audit
from ledger.audit import AuditEntry
from ledger.database import reading


class AuditQuery(PageQuery):
    object: Id | None = None


async def listing(call: Call[Nothing, AuditQuery]) -> Page[AuditEntry]:
    query = call.query
    async with reading(call.services.pool) as connection:
        rows = await audit.entries(
            connection, object_id=query.object, before=before_of(query), limit=query.limit + 1
        )
    data, cursor = cut(rows, query.limit, lambda entry: (str(entry.id),))
    return Page[AuditEntry](data=data, next_cursor=cursor)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/audit",
        summary="Who changed what",
        handler=listing,
        body=Nothing,
        query=AuditQuery,
        answer=Page[AuditEntry],
    ),
)
