"""API keys: made, rotated and revoked; the secret itself is never stored."""

from datetime import datetime

from ledger import audit, members, organizations, projects
from ledger.database import Connection
from ledger.errors import ConflictError, NotFoundError
from ledger.ids import new_id
from ledger.keys import KeyHasher, NewKey
from ledger.limits import Limits
from ledger.pages import Slice
from ledger.records import Instant, Record


class ApiKey(Record):
    """`prefix` is what people see of the key; `limits` may lower those of the plan."""

    id: str
    organization_id: str
    project_id: str | None
    member_id: str | None
    name: str
    prefix: str
    limits: Limits
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None

    def usable(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


async def create(
    connection: Connection,
    actor: str,
    organization_id: str,
    made: NewKey,
    *,
    name: str,
    project_id: str | None = None,
    member_id: str | None = None,
    limits: Limits | None = None,
    expires_at: datetime | None = None,
) -> ApiKey:
    """Keeps the hash of a key just made. Raises NotFoundError, BadReferenceError."""
    await organizations.lock(connection, organization_id)
    if project_id is not None:
        await projects.require(connection, organization_id, project_id)
    if member_id is not None:
        await members.require(connection, organization_id, member_id)
    kept_limits = (limits or Limits()).model_dump(mode="json", exclude_defaults=True)
    row = await connection.fetchrow(
        "insert into api_key (id, organization_id, project_id, member_id, name, prefix, digest, limits,"
        " expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *",
        *(new_id("key"), organization_id, project_id, member_id, name, made.prefix, made.digest),
        *(kept_limits, expires_at),
    )
    key = ApiKey.of(row)
    detail = {"organization_id": organization_id, "name": name, "prefix": key.prefix, "limits": kept_limits}
    await audit.write(connection, actor, "key.create", key.id, detail)
    return key


async def get(connection: Connection, key_id: str) -> ApiKey:
    """Raises NotFoundError."""
    row = await connection.fetchrow("select * from api_key where id = $1", key_id)
    if row is None:
        raise NotFoundError("API key", key_id)
    return ApiKey.of(row)


async def by_secret(connection: Connection, hasher: KeyHasher, secret: str) -> ApiKey | None:
    """The key whose secret this is, whether usable or not."""
    row = await connection.fetchrow("select * from api_key where digest = $1", hasher.digest(secret))
    return ApiKey.maybe(row)


async def rotate(connection: Connection, actor: str, key_id: str, made: NewKey) -> ApiKey:
    """Gives the key a new secret; the old one is worth nothing from the commit on.

    Raises NotFoundError, ConflictError.
    """
    row = await connection.fetchrow(
        "update api_key set digest = $2, prefix = $3 where id = $1 and revoked_at is null returning *",
        *(key_id, made.digest, made.prefix),
    )
    if row is None:
        await get(connection, key_id)
        raise ConflictError("the API key was revoked; make a new one")
    await audit.write(connection, actor, "key.rotate", key_id, {"prefix": made.prefix})
    return ApiKey.of(row)


async def revoke(connection: Connection, actor: str, key_id: str, now: datetime) -> ApiKey:
    """Ends the key for ever. A key revoked before stays as it was. Raises NotFoundError."""
    row = await connection.fetchrow(
        "update api_key set revoked_at = $2 where id = $1 and revoked_at is null returning *",
        *(key_id, now),
    )
    if row is None:
        return await get(connection, key_id)
    await audit.write(connection, actor, "key.revoke", key_id, {})
    return ApiKey.of(row)


async def listing(connection: Connection, organization_id: str, part: Slice) -> list[ApiKey]:
    """The oldest first, revoked ones too."""
    rows = await connection.fetch(
        "select * from api_key where organization_id = $4"
        " and ($1::timestamptz is null or (created_at, id) > ($1, $2::text)) order by created_at, id"
        " limit $3",
        *(*part.arguments, organization_id),
    )
    return [ApiKey.of(row) for row in rows]
