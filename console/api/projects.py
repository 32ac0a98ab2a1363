"""Projects of an organization."""

from console.api.scopes import ScopeLimits
from console.call import Call, Input, Nothing, Operation
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import organizations, projects
from ledger.announcements import announce
from ledger.database import reading, transaction
from ledger.limits import Limits
from ledger.projects import Project
from ledger.records import Name


class NewProject(Input):
    name: Name
    limits: ScopeLimits = Limits()


async def create(call: Call[NewProject, Nothing]) -> Project:
    async with transaction(call.services.pool) as connection:
        made = await projects.create(
            connection, call.actor, call.ids["id"], name=call.body.name, limits=call.body.limits, now=call.now
        )
    # Proxies know an organization's projects by its keys.
    await announce(call.services.redis, made.organization_id)
    return made


async def listing(call: Call[Nothing, PageQuery]) -> Page[Project]:
    async with reading(call.services.pool) as connection:
        await organizations.get(connection, call.ids["id"])
        rows = await projects.listing(connection, call.ids["id"], slice_of(call.query))
    return page_of(Page[Project], rows, call.query, lambda row: (row.created_at, row.id))


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/organizations/{id}/projects",
        summary="Create a project",
        handler=create,
        body=NewProject,
        query=Nothing,
        answer=Project,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/projects",
        summary="List an organization's projects",
        handler=listing,
        body=Nothing,
        query=PageQuery,
        answer=Page[Project],
    ),
)
