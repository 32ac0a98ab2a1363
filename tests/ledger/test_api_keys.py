from datetime import UTC, datetime, timedelta

import pytest

from ledger import api_keys, callers, organizations, projects
from ledger.api_keys import ApiKey
from ledger.database import Connection
from ledger.errors import BadReferenceError, ConflictError, NotFoundError
from ledger.keys import KeyHasher
from ledger.limits import Limits
from ledger.organizations import Organization

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HASHER = KeyHasher(b"a secret of the tests")


async def create(connection: Connection, organization: Organization, **fields: object) -> tuple[ApiKey, str]:
    made = HASHER.make()
    key = await api_keys.create(connection, "test", organization.id, made, name="app", **fields)  # type: ignore[arg-type]
    return key, made.secret


async def test_a_caller_is_found_by_the_secret_alone(
    connection: Connection, organization: Organization
) -> None:
    project = await projects.create(connection, "test", organization.id, name="Web", limits=Limits(), now=NOW)
    limits = Limits(requests_per_minute=5)
    key, secret = await create(connection, organization, project_id=project.id, limits=limits)
    caller = await callers.find(connection, HASHER, secret, NOW)
    assert caller is not None
    assert (caller.key, caller.organization, caller.project) == (key, organization, project)
    assert caller.key is not None
    assert caller.key.limits.requests_per_minute == 5
    assert caller.plan is None
    assert caller.barred(NOW) is None
    assert await callers.find(connection, HASHER, secret + "x", NOW) is None
    assert await callers.find(connection, KeyHasher(b"another secret here"), secret, NOW) is None


async def test_the_secret_is_nowhere_in_the_database(
    connection: Connection, organization: Organization
) -> None:
    _, secret = await create(connection, organization)
    kept = await connection.fetchval("select string_agg(api_key::text, '') from api_key")
    kept += await connection.fetchval("select string_agg(audit::text, '') from audit")
    assert secret[:12] in kept
    assert secret[12:] not in kept


async def test_rotation_kills_the_old_secret_at_once(
    connection: Connection, organization: Organization
) -> None:
    key, old = await create(connection, organization)
    made = HASHER.make()
    rotated = await api_keys.rotate(connection, "test", key.id, made)
    assert rotated == key.model_copy(update={"prefix": made.prefix})
    assert await api_keys.by_secret(connection, HASHER, old) is None
    assert await api_keys.by_secret(connection, HASHER, made.secret) == rotated


async def test_a_revoked_key_stays_revoked(connection: Connection, organization: Organization) -> None:
    key, secret = await create(connection, organization)
    revoked = await api_keys.revoke(connection, "test", key.id, NOW)
    assert revoked.revoked_at == NOW
    assert await api_keys.revoke(connection, "test", key.id, NOW + timedelta(days=1)) == revoked
    with pytest.raises(ConflictError):
        await api_keys.rotate(connection, "test", key.id, HASHER.make())
    caller = await callers.find(connection, HASHER, secret, NOW)
    assert caller is not None
    assert caller.barred(NOW) == "the API key was revoked"


async def test_an_expired_key_opens_nothing_from_its_very_instant(
    connection: Connection, organization: Organization
) -> None:
    _, secret = await create(connection, organization, expires_at=NOW)
    caller = await callers.find(connection, HASHER, secret, NOW)
    assert caller is not None
    assert caller.barred(NOW - timedelta(microseconds=1)) is None
    assert caller.barred(NOW) == "the API key has expired"


async def test_a_key_of_an_inactive_organization_opens_nothing(
    connection: Connection, organization: Organization
) -> None:
    _, secret = await create(connection, organization)
    await organizations.change(connection, "test", organization.id, {"active": False})
    caller = await callers.find(connection, HASHER, secret, NOW)
    assert caller is not None
    assert caller.barred(NOW) == "the organization is not active"


async def test_another_organizations_project_is_refused(
    connection: Connection, organization: Organization
) -> None:
    other = await organizations.create(connection, "test", name="Other")
    project = await projects.create(connection, "test", other.id, name="Web", limits=Limits(), now=NOW)
    with pytest.raises(BadReferenceError) as caught:
        await create(connection, organization, project_id=project.id)
    assert caught.value.param == "project_id"


async def test_an_unknown_key_is_not_found(connection: Connection) -> None:
    with pytest.raises(NotFoundError):
        await api_keys.revoke(connection, "test", "key_x", NOW)
    with pytest.raises(NotFoundError):
        await api_keys.rotate(connection, "test", "key_x", HASHER.make())
