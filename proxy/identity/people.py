"""Keycloak's access tokens to principals: the organization that the token names, and the person's place in it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from time import monotonic

from ledger.database import DatabaseUnavailable
from proxy.errors import Refusal, unavailable
from proxy.identity.directory import Entry
from proxy.identity.lookups import Lookups
from proxy.identity.principal import Principal
from proxy.identity.refusals import inactive_organization, no_plan
from proxy.identity.tokens.claims import Person


class People:
    """Resolves access tokens. `verify` tells whose they are (Verifier.verify), `find` reads the ledger
    (Directory.find_person)."""

    def __init__(
        self,
        verify: Callable[[str], Awaitable[Person]],
        find: Callable[[Person, str], Awaitable[Entry | None]],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._verify = verify
        self._find = find
        self._lookups: Lookups[tuple[str, str, str]] = Lookups(ticks)

    async def resolve(self, token: str) -> Principal:
        """The caller that this token is of. Raises Refusal: 401 for a token that does not open, 402 for an
        organization without a plan, 403 for a person without a place in an active one, 503 when issuer or ledger can't
        be asked."""
        person = await self._verify(token)
        entry = await self._entry(person)
        if entry.principal is None:
            raise no_plan()
        return replace(entry.principal, roles=person.roles, is_admin=person.is_admin)

    def forget(self, organization_id: str) -> None:
        """Something of this organization changed, or maybe of everyone."""
        self._lookups.forget(organization_id)

    async def _entry(self, person: Person) -> Entry:
        organization_id = organization_of(person)
        name = (person.issuer, person.subject, organization_id)
        try:
            entry = await self._lookups.get(name, partial(self._find, person, organization_id))
        except DatabaseUnavailable:
            raise unavailable(
                "The access token cannot be checked right now. Try again.", "token_check_unavailable"
            ) from None
        return placed(entry)


def organization_of(person: Person) -> str:
    """The organization that the person's token names. Raises Refusal 403 where it names none."""
    if person.organization_id is None:
        raise Refusal(
            403,
            "The access token names no organization: it needs one in the claim 'organization_id'.",
            code="organization_required",
        )
    return person.organization_id


def placed(entry: Entry | None) -> Entry:
    """The entry itself. Raises Refusal 403 unless it is of an active member of an active organization."""
    if entry is None:
        raise Refusal(
            403, "The organization that the access token names is not known.", code="organization_unknown"
        )
    organization, member = entry.caller.organization, entry.caller.member
    if not organization.active:
        raise inactive_organization()
    if member is None:
        raise Refusal(
            403,
            "This organization has as many members as its plan allows. Ask its owner for a place.",
            code="plan_limit_reached",
        )
    if not member.active:
        raise Refusal(403, "You are no active member of this organization.", code="member_inactive")
    return entry
