"""Callers: all that is known about whoever holds an API key, or comes in person."""

from dataclasses import dataclass
from datetime import datetime

from ledger import api_keys, members, organizations, plans, projects, subscriptions, token_packs
from ledger.api_keys import ApiKey
from ledger.database import Connection
from ledger.errors import NotFoundError
from ledger.keys import KeyHasher
from ledger.members import Member
from ledger.organizations import Organization
from ledger.plans import Plan
from ledger.projects import Project
from ledger.subscriptions import Subscription
from ledger.token_packs import TokenPack


@dataclass(frozen=True, slots=True)
class Caller:
    """A key with the organization that pays, and what it stands on at the time asked for.

    `key` is None for a person who comes without one. `plan` is None without a subscription; it holds until
    `subscription.end`. `packs`: tokens bought that are valid then or later. `changes_at` is when something of this will
    be otherwise by itself.
    """

    key: ApiKey | None
    organization: Organization
    project: Project | None
    member: Member | None
    subscription: Subscription | None
    plan: Plan | None
    packs: list[TokenPack]
    changes_at: datetime | None

    def barred(self, at: datetime) -> str | None:
        """Why the caller may nothing at `at`; None if it may."""
        if self.key is not None and self.key.revoked_at is not None:
            return "the API key was revoked"
        if self.key is not None and not self.key.usable(at):
            return "the API key has expired"
        if not self.organization.active:
            return "the organization is not active"
        if self.project is not None and not self.project.active:
            return "the project of the API key is not active"
        if self.member is not None and not self.member.active:
            return "the member is not active"
        return None


async def find(connection: Connection, hasher: KeyHasher, secret: str, at: datetime) -> Caller | None:
    """Who holds this key; None for a key nobody made."""
    key = await api_keys.by_secret(connection, hasher, secret)
    if key is None:
        return None
    organization = await organizations.get(connection, key.organization_id)
    member = await members.find(connection, organization.id, key.member_id) if key.member_id else None
    return await _standing(connection, organization, at, key=key, member=member)


async def again(
    connection: Connection, organization_id: str, key_id: str | None, member_id: str | None, at: datetime
) -> Caller | None:
    """Who came before with this key, or as this member; None if that is not to be found in the organization."""
    try:
        organization = await organizations.get(connection, organization_id)
        key = await api_keys.get(connection, key_id) if key_id else None
    except NotFoundError:
        return None
    member = await members.find(connection, organization_id, member_id) if member_id else None
    if (key is None and member is None) or (key is not None and key.organization_id != organization_id):
        return None
    return await _standing(connection, organization, at, key=key, member=member)


async def of_person(
    connection: Connection, organization_id: str, issuer: str, keycloak_user_id: str, at: datetime
) -> Caller | None:
    """The person in the organization, without a member if it never was one; None if there is no such organization."""
    try:
        organization = await organizations.get(connection, organization_id)
    except NotFoundError:
        return None
    member = await members.of_person(connection, organization.id, issuer, keycloak_user_id)
    return await _standing(connection, organization, at, key=None, member=member)


async def _standing(
    connection: Connection,
    organization: Organization,
    at: datetime,
    *,
    key: ApiKey | None,
    member: Member | None,
) -> Caller:
    subscription = await subscriptions.current(connection, organization.id, at)
    packs = await token_packs.not_over(connection, organization.id, at)
    turns = [turn for pack in packs for turn in (pack.starts_at, pack.ends_at)]
    turns += await subscriptions.turns(connection, organization.id, at)
    project_id = None if key is None else key.project_id
    return Caller(
        key=key,
        organization=organization,
        project=await projects.find(connection, organization.id, project_id) if project_id else None,
        member=member,
        subscription=subscription,
        plan=await plans.get(connection, subscription.plan_id) if subscription else None,
        packs=packs,
        changes_at=min((turn for turn in turns if turn > at), default=None),
    )
