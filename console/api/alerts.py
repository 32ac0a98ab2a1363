"""Alerts: what is wrong now, what was, and who has seen it."""

from console.call import Call, Nothing, Operation
from console.inputs import Id
from console.paging import Page, PageQuery, before_of, cut, number_in
from ledger import alerts, audit
from ledger.alerts import Alert
from ledger.database import reading, transaction
from ledger.errors import NotFoundError

_LONGEST = 200


class AlertQuery(PageQuery):
    """Open ones, or with `ended` those that are over."""

    ended: bool = False
    kind: Id | None = None


async def listing(call: Call[Nothing, AlertQuery]) -> Page[Alert]:
    query = call.query
    async with reading(call.services.pool) as connection:
        rows = await alerts.listing(
            connection, ended=query.ended, kind=query.kind, before=before_of(query), limit=query.limit + 1
        )
    data, cursor = cut(rows, query.limit, lambda alert: (str(alert.id),))
    return Page[Alert](data=data, next_cursor=cursor)


async def acknowledge(call: Call[Nothing, Nothing]) -> Alert:
    number = number_in(call.ids["id"])
    if number is None:
        raise NotFoundError("alert", call.ids["id"][:_LONGEST])
    async with transaction(call.services.pool) as connection:
        alert = await alerts.acknowledge(connection, number, call.actor, at=call.now)
        await audit.write(
            connection,
            call.actor,
            "alert.acknowledge",
            str(number),
            {"kind": alert.kind, "object": alert.object},
        )
    return alert


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/alerts",
        summary="List what is wrong now, or was",
        handler=listing,
        body=Nothing,
        query=AlertQuery,
        answer=Page[Alert],
    ),
    Operation(
        method="POST",
        path="/api/admin/alerts/{id}/acknowledge",
        summary="Say that somebody looks after an alert",
        handler=acknowledge,
        body=Nothing,
        query=Nothing,
        answer=Alert,
    ),
)
