"""Organizations: the tenants, who pay."""

import re
from typing import Any
from zoneinfo import ZoneInfo

from ledger import audit
from ledger.database import Connection
from ledger.errors import NotFoundError
from ledger.ids import new_id
from ledger.pages import Slice
from ledger.records import Instant, Record

_ZONE = re.compile(r"(?!posix/|right/|localtime|Factory)[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
_CHANGEABLE = ("name", "siret", "email", "time_zone", "separate_projects", "active")


class Organization(Record):
    id: str
    name: str
    siret: str | None
    email: str | None
    time_zone: str
    separate_projects: bool
    active: bool
    created_at: Instant
    updated_at: Instant


def check_time_zone(name: str) -> str:
    """`name` itself. Raises ValueError unless it is a zone of the IANA database, such as Europe/Paris."""
    try:
        if len(name) <= 64 and _ZONE.fullmatch(name):
            return ZoneInfo(name).key
    except (LookupError, ValueError, OSError):
        pass
    raise ValueError("is not a time zone of the IANA database, such as Europe/Paris")


async def create(
    connection: Connection,
    actor: str,
    *,
    name: str,
    siret: str | None = None,
    email: str | None = None,
    time_zone: str = "UTC",
    separate_projects: bool = False,
    active: bool = True,
) -> Organization:
    row = await connection.fetchrow(
        "insert into organization (id, name, siret, email, time_zone, separate_projects, active)"
        " values ($1, $2, $3, $4, $5, $6, $7) returning *",
        *(new_id("org"), name, siret, email, check_time_zone(time_zone), separate_projects, active),
    )
    made = Organization.of(row)
    await audit.write(connection, actor, "organization.create", made.id, {"name": name})
    return made


async def get(connection: Connection, organization_id: str) -> Organization:
    """Raises NotFoundError."""
    row = await connection.fetchrow("select * from organization where id = $1", organization_id)
    if row is None:
        raise NotFoundError("organization", organization_id)
    return Organization.of(row)


async def lock(connection: Connection, organization_id: str) -> int:
    """Makes others who change it or what belongs to it wait for this transaction; gives its number.

    Raises NotFoundError.
    """
    number = await connection.fetchval(
        "select no from organization where id = $1 for update", organization_id
    )
    if number is None:
        raise NotFoundError("organization", organization_id)
    return int(number)


async def change(
    connection: Connection, actor: str, organization_id: str, changes: dict[str, Any]
) -> Organization:
    """Sets the named fields. Raises NotFoundError, and ValueError for a field that cannot be set."""
    if unknown := set(changes) - set(_CHANGEABLE):
        raise ValueError(f"cannot be changed: {', '.join(sorted(unknown))}")
    if "time_zone" in changes:
        check_time_zone(changes["time_zone"])
    await lock(connection, organization_id)
    present = await get(connection, organization_id)
    row = await connection.fetchrow(
        "update organization set name = $2, siret = $3, email = $4, time_zone = $5, separate_projects = $6,"
        " active = $7, updated_at = now() where id = $1 returning *",
        *(organization_id, *(changes.get(name, getattr(present, name)) for name in _CHANGEABLE)),
    )
    await audit.write(connection, actor, "organization.change", organization_id, changes)
    return Organization.of(row)


async def listing(connection: Connection, part: Slice) -> list[Organization]:
    """The oldest first."""
    rows = await connection.fetch(
        "select * from organization"
        " where $1::timestamptz is null or (created_at, id) > ($1, $2::text) order by created_at, id"
        " limit $3",
        *part.arguments,
    )
    return [Organization.of(row) for row in rows]
