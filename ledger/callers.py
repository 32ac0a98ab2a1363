"""Callers: all that is known about whoever holds an API key."""

from dataclasses import dataclass
from datetime import datetime

from ledger import api_keys, members, organizations, plans, projects, subscriptions
from ledger.api_keys import ApiKey
from ledger.database import Connection
from ledger.keys import KeyHasher
from ledger.members import Member
from ledger.organizations import Organization
from ledger.plans import Plan
from ledger.projects import Project
from ledger.subscriptions import Subscription


@dataclass(frozen=True, slots=True)
class Caller:
    """A key with the organization that pays, and what it stands on at the time asked for.

    `plan` is None without a subscription; it holds until `subscription.end`.
    """

    key: ApiKey
    organization: Organization
    project: Project | None
    member: Member | None
    subscription: Subscription | None
    plan: Plan | None

    def barred(self, at: datetime) -> str | None:
        """Why the key opens nothing at `at`; None if it does."""
        if self.key.revoked_at is not None:
            return "the API key was revoked"
        if not self.key.usable(at):
            return "the API key has expired"
        if not self.organization.active:
            return "the organization is not active"
        if self.project is not None and not self.project.active:
            return "the project of the API key is not active"
        if self.member is not None and not self.member.active:
            return "the member of the API key is not active"
        return None


async def find(connection: Connection, hasher: KeyHasher, secret: str, at: datetime) -> Caller | None:
    """Who holds this key; None for a key nobody made."""
    key = await api_keys.by_secret(connection, hasher, secret)
    if key is None:
        return None
    subscription = await subscriptions.current(connection, key.organization_id, at)
    return Caller(
        key=key,
        organization=await organizations.get(connection, key.organization_id),
        project=await projects.find(connection, key.organization_id, key.project_id)
        if key.project_id
        else None,
        member=await members.find(connection, key.organization_id, key.member_id) if key.member_id else None,
        subscription=subscription,
        plan=await plans.get(connection, subscription.plan_id) if subscription else None,
    )
