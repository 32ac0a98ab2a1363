"""Projects: the cost centres of an organization."""

from datetime import datetime

from ledger import audit, organizations, subscriptions
from ledger.database import Connection
from ledger.errors import BadReferenceError, ConflictError, PlanLimitError
from ledger.ids import new_id
from ledger.limits import Limits
from ledger.pages import Slice
from ledger.records import Instant, Record


class Project(Record):
    id: str
    organization_id: str
    name: str
    limits: Limits
    active: bool
    created_at: Instant


async def create(
    connection: Connection, actor: str, organization_id: str, *, name: str, limits: Limits, now: datetime
) -> Project:
    """Raises NotFoundError, ConflictError where the name is taken, PlanLimitError."""
    await organizations.lock(connection, organization_id)
    if await connection.fetchval(
        "select true from project where organization_id = $1 and name = $2", organization_id, name
    ):
        raise ConflictError(f"the organization has a project named '{name}' already", "name")
    plan = await subscriptions.plan_of(connection, organization_id, now)
    count = await connection.fetchval(
        "select count(*) from project where organization_id = $1 and active", organization_id
    )
    if plan is not None and 0 <= plan.limits.projects <= count:
        raise PlanLimitError(f"the plan {plan.name} allows {plan.limits.projects} projects")
    kept_limits = limits.model_dump(mode="json", exclude_defaults=True)
    row = await connection.fetchrow(
        "insert into project (id, organization_id, name, limits) values ($1, $2, $3, $4) returning *",
        *(new_id("proj"), organization_id, name, kept_limits),
    )
    made = Project.of(row)
    detail = {"organization_id": organization_id, "name": name, "limits": kept_limits}
    await audit.write(connection, actor, "project.create", made.id, detail)
    return made


async def find(connection: Connection, organization_id: str, project_id: str) -> Project | None:
    row = await connection.fetchrow(
        "select * from project where organization_id = $1 and id = $2", organization_id, project_id
    )
    return Project.maybe(row)


async def require(connection: Connection, organization_id: str, project_id: str) -> None:
    """Raises BadReferenceError unless it is an active project of the organization."""
    project = await find(connection, organization_id, project_id)
    if project is None or not project.active:
        raise BadReferenceError(f"the organization has no active project '{project_id}'", "project_id")


async def listing(connection: Connection, organization_id: str, part: Slice) -> list[Project]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from project where organization_id = $4"
        " and ($1::timestamptz is null or (created_at, id) > ($1, $2::text)) order by created_at, id"
        " limit $3",
        *(*part.arguments, organization_id),
    )
    return [Project.of(row) for row in rows]


async def active_ones(connection: Connection, organization_id: str) -> list[Project]:
    """All projects of the organization that may be used; a plan bounds their number."""
    rows = await connection.fetch(
        "select * from project where organization_id = $1 and active order by id", organization_id
    )
    return [Project.of(row) for row in rows]
