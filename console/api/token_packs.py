"""Packs of tokens that an organization bought on top of its plan."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from console.call import Call, Input, Nothing, Operation
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import organizations, token_packs
from ledger.announcements import announce
from ledger.database import reading, transaction
from ledger.records import Name, Price
from ledger.token_packs import TokenPack


class NewTokenPack(Input):
    """Raises the tokens of the organization's present month; `price` is in the currency of its plan."""

    tokens: Annotated[int, Field(gt=0, le=10**15, strict=True)]
    price: Price = Decimal(0)
    note: Name | None = None


async def create(call: Call[NewTokenPack, Nothing]) -> TokenPack:
    async with transaction(call.services.pool) as connection:
        made = await token_packs.create(
            connection, call.actor, call.ids["id"], now=call.now, **dict(call.body)
        )
    await announce(call.services.redis, made.organization_id)
    return made


async def listing(call: Call[Nothing, PageQuery]) -> Page[TokenPack]:
    async with reading(call.services.pool) as connection:
        await organizations.get(connection, call.ids["id"])
    return await _listing(call, call.ids["id"])


async def mine(call: Call[Nothing, PageQuery]) -> Page[TokenPack]:
    return await _listing(call, call.caller.organization.id)


async def _listing(call: Call[Nothing, PageQuery], organization_id: str) -> Page[TokenPack]:
    async with reading(call.services.pool) as connection:
        rows = await token_packs.listing(connection, organization_id, slice_of(call.query))
    return page_of(Page[TokenPack], rows, call.query, lambda row: (row.created_at, row.id))


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/organizations/{id}/token-packs",
        summary="Add a pack of tokens to the present month",
        handler=create,
        body=NewTokenPack,
        query=Nothing,
        answer=TokenPack,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/token-packs",
        summary="List an organization's packs of tokens",
        handler=listing,
        body=Nothing,
        query=PageQuery,
        answer=Page[TokenPack],
    ),
    Operation(
        method="GET",
        path="/api/me/token-packs",
        summary="The packs of tokens of the caller's organization",
        handler=mine,
        body=Nothing,
        query=PageQuery,
        answer=Page[TokenPack],
        access="key",
    ),
)
