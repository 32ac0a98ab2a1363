"""Members: the people of an organization, by Keycloak's issuer and subject."""

from datetime import datetime
from typing import Any, Literal

from ledger import audit, organizations, subscriptions
from ledger.database import Connection
from ledger.errors import BadReferenceError, ConflictError, NotFoundError, PlanLimitError
from ledger.ids import new_id
from ledger.limits import Limits
from ledger.pages import Slice
from ledger.records import Instant, Record

Role = Literal["owner", "admin", "billing", "member"]


class Member(Record):
    id: str
    organization_id: str
    issuer: str
    keycloak_user_id: str
    email: str | None
    role: Role
    limits: Limits
    active: bool
    joined_at: Instant


async def create(
    connection: Connection,
    actor: str,
    organization_id: str,
    *,
    keycloak_user_id: str,
    now: datetime,
    issuer: str = "",
    email: str | None = None,
    role: Role = "member",
    limits: Limits | None = None,
) -> Member:
    """Raises NotFoundError, ConflictError where the person is a member already, PlanLimitError."""
    await organizations.lock(connection, organization_id)
    if await of_person(connection, organization_id, issuer, keycloak_user_id) is not None:
        raise ConflictError("that person is a member of the organization already", "keycloak_user_id")
    plan = await subscriptions.plan_of(connection, organization_id, now)
    count = await connection.fetchval(
        "select count(*) from member where organization_id = $1 and active", organization_id
    )
    if plan is not None and 0 <= plan.limits.members <= count:
        raise PlanLimitError(f"the plan {plan.name} allows {plan.limits.members} members")
    row = await connection.fetchrow(
        "insert into member (id, organization_id, issuer, keycloak_user_id, email, role, limits)"
        " values ($1, $2, $3, $4, $5, $6, $7) returning *",
        *(new_id("mem"), organization_id, issuer, keycloak_user_id, email, role),
        (limits or Limits()).model_dump(mode="json", exclude_defaults=True),
    )
    made = Member.of(row)
    detail = {"organization_id": organization_id, "role": role}
    await audit.write(connection, actor, "member.create", made.id, detail)
    return made


async def change(connection: Connection, actor: str, member_id: str, changes: dict[str, Any]) -> Member:
    """Sets the named of email, role, active and limits; of `limits` only the named ones. Raises NotFoundError, and
    pydantic's ValidationError for values that make no member."""
    row = await connection.fetchrow("select * from member where id = $1 for update", member_id)
    if row is None:
        raise NotFoundError("member", member_id)
    present = Member.of(row)
    if "limits" in changes:
        changes = {**changes, "limits": {**present.limits.model_dump(), **changes["limits"]}}
    wanted = Member.model_validate({**dict(present), **changes})
    limits = wanted.limits.model_dump(mode="json", exclude_defaults=True)
    row = await connection.fetchrow(
        "update member set email = $2, role = $3, active = $4, limits = $5 where id = $1 returning *",
        *(member_id, wanted.email, wanted.role, wanted.active, limits),
    )
    detail = wanted.model_dump(mode="json", include=set(changes))
    await audit.write(connection, actor, "member.change", member_id, detail)
    return Member.of(row)


async def find(connection: Connection, organization_id: str, member_id: str) -> Member | None:
    row = await connection.fetchrow(
        "select * from member where organization_id = $1 and id = $2", organization_id, member_id
    )
    return Member.maybe(row)


async def of_person(
    connection: Connection, organization_id: str, issuer: str, keycloak_user_id: str
) -> Member | None:
    """The member that this person is in the organization, active or not."""
    row = await connection.fetchrow(
        "select * from member where issuer = $1 and keycloak_user_id = $2 and organization_id = $3",
        *(issuer, keycloak_user_id, organization_id),
    )
    return Member.maybe(row)


async def require(connection: Connection, organization_id: str, member_id: str) -> None:
    """Raises BadReferenceError unless it is an active member of the organization."""
    member = await find(connection, organization_id, member_id)
    if member is None or not member.active:
        raise BadReferenceError(f"the organization has no active member '{member_id}'", "member_id")


async def listing(connection: Connection, organization_id: str, part: Slice) -> list[Member]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from member where organization_id = $4"
        " and ($1::timestamptz is null or (joined_at, id) > ($1, $2::text)) order by joined_at, id"
        " limit $3",
        *(*part.arguments, organization_id),
    )
    return [Member.of(row) for row in rows]
