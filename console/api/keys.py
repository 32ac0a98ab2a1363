"""API keys. The secret is in the answer that makes it, and nowhere else."""

from pydantic import Field

from console.api.scopes import ScopeLimits
from console.call import Call, Input, Nothing, Operation
from console.inputs import Id, Moment
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import api_keys, organizations
from ledger.announcements import announce
from ledger.api_keys import ApiKey
from ledger.database import reading, transaction
from ledger.limits import Limits
from ledger.records import Name


class NewApiKey(Input):
    name: Name
    project_id: Id | None = None
    member_id: Id | None = None
    limits: ScopeLimits = Limits()
    expires_at: Moment | None = None


class ApiKeyMade(ApiKey):
    key: str = Field(description="the secret itself, shown this once")


def _made(kept: ApiKey, secret: str) -> ApiKeyMade:
    return ApiKeyMade(key=secret, **dict(kept))


async def create(call: Call[NewApiKey, Nothing]) -> ApiKeyMade:
    made = call.services.hasher.make()
    async with transaction(call.services.pool) as connection:
        kept = await api_keys.create(connection, call.actor, call.ids["id"], made, **dict(call.body))
    await announce(call.services.redis, kept.organization_id)
    return _made(kept, made.secret)


async def listing(call: Call[Nothing, PageQuery]) -> Page[ApiKey]:
    async with reading(call.services.pool) as connection:
        await organizations.get(connection, call.ids["id"])
        rows = await api_keys.listing(connection, call.ids["id"], slice_of(call.query))
    return page_of(Page[ApiKey], rows, call.query, lambda row: (row.created_at, row.id))


async def rotate(call: Call[Nothing, Nothing]) -> ApiKeyMade:
    made = call.services.hasher.make()
    async with transaction(call.services.pool) as connection:
        kept = await api_keys.rotate(connection, call.actor, call.ids["id"], made)
    await announce(call.services.redis, kept.organization_id)
    return _made(kept, made.secret)


async def revoke(call: Call[Nothing, Nothing]) -> ApiKey:
    async with transaction(call.services.pool) as connection:
        revoked = await api_keys.revoke(connection, call.actor, call.ids["id"], call.now)
    await announce(call.services.redis, revoked.organization_id)
    return revoked


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/organizations/{id}/keys",
        summary="Create an API key",
        handler=create,
        body=NewApiKey,
        query=Nothing,
        answer=ApiKeyMade,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/keys",
        summary="List an organization's API keys",
        handler=listing,
        body=Nothing,
        query=PageQuery,
        answer=Page[ApiKey],
    ),
    Operation(
        method="DELETE",
        path="/api/admin/keys/{id}",
        summary="Revoke an API key, at once and for ever",
        handler=revoke,
        body=Nothing,
        query=Nothing,
        answer=ApiKey,
    ),
    Operation(
        method="POST",
        path="/api/admin/keys/{id}/rotate",
        summary="Give an API key a new secret; the old one dies at once",
        handler=rotate,
        body=Nothing,
        query=Nothing,
        answer=ApiKeyMade,
    ),
)
