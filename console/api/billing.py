"""Who sells, and how each organization is billed."""

from pydantic import BaseModel

from console.call import Call, Nothing, Operation
from console.partial import changes, partial
from ledger import billing_profiles, sellers
from ledger.billing_profiles import BillingProfile, BillingTerms
from ledger.database import reading, transaction
from ledger.sellers import Seller, SellerTerms

ProfileChange = partial("BillingProfileChange", BillingTerms)
SellerChange = partial("SellerChange", SellerTerms)


class ProfileRead(BillingProfile):
    """`missing` is what the law wants on an invoice and nobody said."""

    missing: list[str]


def _read(profile: BillingProfile) -> ProfileRead:
    return ProfileRead(missing=profile.lacking, **dict(profile))


async def profile(call: Call[Nothing, Nothing]) -> ProfileRead:
    async with reading(call.services.pool) as connection:
        return _read(await billing_profiles.get(connection, call.ids["id"]))


async def change_profile(call: Call[BaseModel, Nothing]) -> ProfileRead:
    async with transaction(call.services.pool) as connection:
        changed = await billing_profiles.change(connection, call.actor, call.ids["id"], changes(call.body))
    return _read(changed)


async def mine(call: Call[Nothing, Nothing]) -> ProfileRead:
    async with reading(call.services.pool) as connection:
        return _read(await billing_profiles.get(connection, call.caller.organization.id))


async def seller(call: Call[Nothing, Nothing]) -> Seller:
    async with reading(call.services.pool) as connection:
        return await sellers.get(connection)


async def change_seller(call: Call[BaseModel, Nothing]) -> Seller:
    async with transaction(call.services.pool) as connection:
        return await sellers.change(connection, call.actor, changes(call.body))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/billing",
        summary="How an organization is billed",
        handler=profile,
        body=Nothing,
        query=Nothing,
        answer=ProfileRead,
    ),
    Operation(
        method="PATCH",
        path="/api/admin/organizations/{id}/billing",
        summary="Change how an organization is billed; what is issued stays",
        handler=change_profile,
        body=ProfileChange,
        query=Nothing,
        answer=ProfileRead,
    ),
    Operation(
        method="GET",
        path="/api/me/billing",
        summary="How the caller's organization is billed",
        handler=mine,
        body=Nothing,
        query=Nothing,
        answer=ProfileRead,
        access="key",
    ),
    Operation(
        method="GET",
        path="/api/admin/seller",
        summary="Who issues invoices",
        handler=seller,
        body=Nothing,
        query=Nothing,
        answer=Seller,
    ),
    Operation(
        method="PATCH",
        path="/api/admin/seller",
        summary="Change who issues invoices; what is issued stays",
        handler=change_seller,
        body=SellerChange,
        query=Nothing,
        answer=Seller,
    ),
)
