"""What is kept upstream, project by project, as it was counted last."""

from console.call import Call, Nothing, Operation
from console.paging import Page
from ledger import organizations, project_storage
from ledger.database import reading
from ledger.project_storage import ProjectStorage


async def of_one(call: Call[Nothing, Nothing]) -> Page[ProjectStorage]:
    async with reading(call.services.pool) as connection:
        organization = await organizations.get(connection, call.ids["id"])
        return Page(data=await project_storage.of_organization(connection, organization.id))


async def mine(call: Call[Nothing, Nothing]) -> Page[ProjectStorage]:
    async with reading(call.services.pool) as connection:
        return Page(data=await project_storage.of_organization(connection, call.caller.organization.id))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/storage",
        summary="What an organization keeps upstream, by project, counted once a day",
        handler=of_one,
        body=Nothing,
        query=Nothing,
        answer=Page[ProjectStorage],
    ),
    Operation(
        method="GET",
        path="/api/me/storage",
        summary="What the caller's organization keeps upstream, by project",
        handler=mine,
        body=Nothing,
        query=Nothing,
        answer=Page[ProjectStorage],
        access="key",
    ),
)
