"""Adjustments: what is charged, or given back, by somebody's decision."""

from typing import Literal

from console.call import Call, Input, Nothing, Operation
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import adjustments, organizations
from ledger.adjustments import Adjustment, Amount
from ledger.database import reading, transaction
from ledger.records import Name


class NewAdjustment(Input):
    """For the next invoice in `currency`, which shows `reason`; an `amount` below zero is a credit."""

    amount: Amount
    currency: Literal["EUR", "USD"]
    reason: Name


async def create(call: Call[NewAdjustment, Nothing]) -> Adjustment:
    async with transaction(call.services.pool) as connection:
        return await adjustments.create(
            connection, call.actor, call.ids["id"], at=call.now, **dict(call.body)
        )


async def listing(call: Call[Nothing, PageQuery]) -> Page[Adjustment]:
    async with reading(call.services.pool) as connection:
        await organizations.get(connection, call.ids["id"])
        rows = await adjustments.listing(connection, call.ids["id"], slice_of(call.query))
    return page_of(Page[Adjustment], rows, call.query, lambda row: (row.created_at, row.id))


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/organizations/{id}/adjustments",
        summary="Charge an organization something, or give it something back",
        handler=create,
        body=NewAdjustment,
        query=Nothing,
        answer=Adjustment,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/adjustments",
        summary="List an organization's adjustments",
        handler=listing,
        body=Nothing,
        query=PageQuery,
        answer=Page[Adjustment],
    ),
)
