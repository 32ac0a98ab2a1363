"""Members of an organization."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from console.api.scopes import ScopeLimits
from console.call import Call, Input, Nothing, Operation
from console.inputs import Text
from console.paging import Page, PageQuery, page_of, slice_of
from console.partial import changes, partial
from ledger import members, organizations
from ledger.announcements import announce
from ledger.database import reading, transaction
from ledger.errors import BadReferenceError
from ledger.limits import Limits
from ledger.members import Member, Role
from ledger.records import Email, plain_text

Issuer = Annotated[str, StringConstraints(max_length=500, strict=True), AfterValidator(plain_text)]


class NewMember(Input):
    """`issuer` and `keycloak_user_id` are the `iss` and `sub` of the person's tokens. Where one issuer is accepted,
    it need not be named."""

    keycloak_user_id: Text
    issuer: Issuer = ""
    email: Email | None = None
    role: Role = "member"
    limits: ScopeLimits = Limits()


async def create(call: Call[NewMember, Nothing]) -> Member:
    async with transaction(call.services.pool) as connection:
        fields = {**dict(call.body), "issuer": _issuer(call)}
        made = await members.create(connection, call.actor, call.ids["id"], now=call.now, **fields)
    await announce(call.services.redis, made.organization_id)
    return made


class _Member(NewMember):
    active: bool = Field(True, strict=True)


MemberChange = partial("MemberChange", _Member, without=frozenset({"keycloak_user_id", "issuer"}))


async def change(call: Call[BaseModel, Nothing]) -> Member:
    async with transaction(call.services.pool) as connection:
        changed = await members.change(connection, call.actor, call.ids["id"], changes(call.body))
    await announce(call.services.redis, changed.organization_id)
    return changed


async def listing(call: Call[Nothing, PageQuery]) -> Page[Member]:
    async with reading(call.services.pool) as connection:
        await organizations.get(connection, call.ids["id"])
        rows = await members.listing(connection, call.ids["id"], slice_of(call.query))
    return page_of(Page[Member], rows, call.query, lambda row: (row.joined_at, row.id))


def _issuer(call: Call[NewMember, Nothing]) -> str:
    """Raises BadReferenceError where it would be a member that no token is ever of."""
    accepted = () if call.services.trust is None else call.services.trust.issuers
    named = call.body.issuer or (accepted[0] if len(accepted) == 1 else "")
    if accepted and named not in accepted:
        raise BadReferenceError(f"must be an accepted issuer: {', '.join(accepted)}", "issuer")
    return named


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/organizations/{id}/members",
        summary="Add a member",
        handler=create,
        body=NewMember,
        query=Nothing,
        answer=Member,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/members",
        summary="List an organization's members",
        handler=listing,
        body=Nothing,
        query=PageQuery,
        answer=Page[Member],
    ),
    Operation(
        method="PATCH",
        path="/api/admin/members/{id}",
        summary="Change a member: role, limits, whether active",
        handler=change,
        body=MemberChange,
        query=Nothing,
        answer=Member,
    ),
)
