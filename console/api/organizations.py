"""Organizations."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from console.call import Call, Input, Nothing, Operation
from console.paging import Page, PageQuery, page_of, slice_of
from console.partial import changes, partial
from ledger import organizations
from ledger.announcements import announce
from ledger.database import reading, transaction
from ledger.organizations import Organization, check_time_zone
from ledger.records import Email, Name


class NewOrganization(Input):
    name: Name
    siret: Annotated[str, StringConstraints(pattern=r"^[0-9]{14}$", strict=True)] | None = None
    email: Email | None = None
    time_zone: Annotated[str, AfterValidator(check_time_zone)] = Field(
        "UTC", description="IANA time zone whose months are the organization's periods"
    )
    separate_projects: bool = Field(
        False,
        strict=True,
        description="Whether files, threads and the like that one project made are closed to the others",
    )
    active: bool = Field(True, strict=True)


OrganizationChange = partial("OrganizationChange", NewOrganization)


async def create(call: Call[NewOrganization, Nothing]) -> Organization:
    async with transaction(call.services.pool) as connection:
        return await organizations.create(connection, call.actor, **dict(call.body))


async def listing(call: Call[Nothing, PageQuery]) -> Page[Organization]:
    async with reading(call.services.pool) as connection:
        rows = await organizations.listing(connection, slice_of(call.query))
    return page_of(Page[Organization], rows, call.query, lambda row: (row.created_at, row.id))


async def get(call: Call[Nothing, Nothing]) -> Organization:
    async with reading(call.services.pool) as connection:
        return await organizations.get(connection, call.ids["id"])


async def change(call: Call[BaseModel, Nothing]) -> Organization:
    wanted = changes(call.body)
    async with transaction(call.services.pool) as connection:
        if not wanted:
            return await organizations.get(connection, call.ids["id"])
        changed = await organizations.change(connection, call.actor, call.ids["id"], wanted)
    await announce(call.services.redis, changed.id)
    return changed


async def mine(call: Call[Nothing, Nothing]) -> Organization:
    return call.caller.organization


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/organizations",
        summary="Create an organization",
        handler=create,
        body=NewOrganization,
        query=Nothing,
        answer=Organization,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations",
        summary="List organizations",
        handler=listing,
        body=Nothing,
        query=PageQuery,
        answer=Page[Organization],
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}",
        summary="Read an organization",
        handler=get,
        body=Nothing,
        query=Nothing,
        answer=Organization,
    ),
    Operation(
        method="PATCH",
        path="/api/admin/organizations/{id}",
        summary="Change an organization",
        handler=change,
        body=OrganizationChange,
        query=Nothing,
        answer=Organization,
    ),
    Operation(
        method="GET",
        path="/api/me/organization",
        summary="The caller's organization",
        handler=mine,
        body=Nothing,
        query=Nothing,
        answer=Organization,
        access="key",
    ),
)
