"""What is left of every limit, and what is running now."""

from collections.abc import Sequence
from decimal import Decimal

from pydantic import BaseModel

from console.call import Call, Nothing, Operation, Services
from console.paging import Page
from ledger import api_keys, members, organizations, projects, subscriptions, token_packs
from ledger.api_keys import ApiKey
from ledger.database import reading
from ledger.limits import UNLIMITED, Limits
from ledger.members import Member
from ledger.organizations import Organization
from ledger.pages import Slice
from ledger.plans import Plan
from ledger.projects import Project
from ledger.records import Instant, decimal_text, nano_text
from ledger.token_packs import TokenPack, raised
from proxy.quota.limits import HOLDERS, LIMITS, Holder, Scope, kind_of
from proxy.quota.view import COUNTED, HoldView, LimitState, read_holds, read_quota, state_of
from proxy.storage.counting import Counting

_PLACES = {"m": 9, "b": 9, "k": 6}
"""Of decimals, in the amounts that are given in larger units."""
_MEASURES = {kind.name: kind.measure for kind in LIMITS}


class LimitNow(BaseModel):
    """One limit. -1 is unlimited. Money is a decimal string in `currency`, traffic one in GB, storage
    one in MB, all else a count.

    `held` is what running requests have reserved. `resets_at` is null for what ends with the requests themselves.
    """

    scope: Holder
    scope_id: str
    name: str
    limit: int | str
    used: int | str
    held: int | str
    remaining: int | str
    currency: str | None
    resets_at: Instant | None


class Hold(BaseModel):
    """A running request and what it has reserved; the hold ends at `expires_at` unless it is renewed."""

    request_id: str
    key_id: str | None
    endpoint: str
    model: str
    stream: bool
    started_at: Instant
    expires_at: Instant
    tokens: int
    money: str
    currency: str | None
    delivered_tokens: int


async def limits(call: Call[Nothing, Nothing]) -> Page[LimitNow]:
    async with reading(call.services.pool) as connection:
        organization = await organizations.get(connection, call.ids["id"])
        plan = await subscriptions.plan_of(connection, organization.id, call.now)
        owned = await projects.listing(connection, organization.id, Slice())
        keys = [
            key
            for key in await api_keys.listing(connection, organization.id, Slice())
            if key.usable(call.now)
        ]
        people = await members.listing(connection, organization.id, Slice())
        packs = await token_packs.not_over(connection, organization.id, call.now)
    return await _limits(call, organization, plan, packs, owned, keys, people)


async def my_limits(call: Call[Nothing, Nothing]) -> Page[LimitNow]:
    caller = call.caller
    owned = [caller.project] if caller.project is not None else []
    keys = [caller.key] if caller.key is not None else []
    people = [caller.member] if caller.member is not None else []
    return await _limits(call, caller.organization, caller.plan, caller.packs, owned, keys, people)


async def holds(call: Call[Nothing, Nothing]) -> Page[Hold]:
    async with reading(call.services.pool) as connection:
        organization = await organizations.get(connection, call.ids["id"])
        plan = await subscriptions.plan_of(connection, organization.id, call.now)
    return await _holds(call.services, organization, plan)


async def my_holds(call: Call[Nothing, Nothing]) -> Page[Hold]:
    return await _holds(call.services, call.caller.organization, call.caller.plan)


async def _limits(
    call: Call[Nothing, Nothing],
    organization: Organization,
    plan: Plan | None,
    packs: list[TokenPack],
    owned: Sequence[Project],
    keys: Sequence[ApiKey],
    people: Sequence[Member],
) -> Page[LimitNow]:
    if plan is None:
        return Page[LimitNow](data=[])
    scopes = [Scope.of(f"o:{organization.id}", raised(plan.effective_limits, packs, call.now))]
    scopes += [Scope.of(f"p:{project.id}", project.limits) for project in owned if project.limits != Limits()]
    scopes += [Scope.of(f"k:{key.id}", key.limits) for key in keys if key.limits != Limits()]
    scopes += [Scope.of(f"m:{person.id}", person.limits) for person in people if person.limits != Limits()]
    states = await read_quota(call.services.redis, organization.id, scopes, organization.time_zone, call.now)
    states.insert(len(COUNTED), await _storage(call, scopes[0]))
    shown = [state for state in states if state.limit != UNLIMITED or state.scope == scopes[0].id]
    return Page[LimitNow](data=[_limit(state, plan.currency) for state in shown])


async def _storage(call: Call[Nothing, Nothing], organization: Scope) -> LimitState:
    services = call.services
    counting = Counting(services.redis, services.pool, lambda: call.now)
    count = await counting.look(organization.id.partition(":")[2])
    return state_of(organization, kind_of("stored", "k"), count.kept, count.held, call.now, call.now)


def _limit(state: LimitState, currency: str) -> LimitNow:
    kind, _, identifier = state.scope.partition(":")
    measure = _MEASURES[state.name]

    def amount(value: int, *, may_be_unlimited: bool = False) -> int | str:
        if measure not in _PLACES:
            return value
        if may_be_unlimited and value < 0:
            return str(UNLIMITED)
        return decimal_text(Decimal(value).scaleb(-_PLACES[measure]))

    return LimitNow(
        scope=HOLDERS[kind],
        scope_id=identifier,
        name=state.name,
        limit=amount(state.limit, may_be_unlimited=True),
        used=amount(state.used),
        held=amount(state.held),
        remaining=amount(state.remaining, may_be_unlimited=True),
        currency=currency if measure == "m" else None,
        resets_at=state.resets_at,
    )


async def _holds(services: Services, organization: Organization, plan: Plan | None) -> Page[Hold]:
    found = await read_holds(services.redis, organization.id)
    return Page[Hold](data=[_hold(view, plan.currency if plan else None) for view in found])


def _hold(view: HoldView, currency: str | None) -> Hold:
    return Hold(
        request_id=view.request_id,
        key_id=view.key_id,
        endpoint=view.endpoint,
        model=view.model,
        stream=view.stream,
        started_at=view.started_at,
        expires_at=view.expires_at,
        tokens=view.tokens,
        money=nano_text(view.money),
        currency=currency,
        delivered_tokens=view.delivered_tokens,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/quota",
        summary="What is left of every limit",
        handler=limits,
        body=Nothing,
        query=Nothing,
        answer=Page[LimitNow],
    ),
    Operation(
        method="GET",
        path="/api/admin/organizations/{id}/holds",
        summary="What is running now",
        handler=holds,
        body=Nothing,
        query=Nothing,
        answer=Page[Hold],
    ),
    Operation(
        method="GET",
        path="/api/me/quota",
        summary="What is left to the caller's organization, project and key",
        handler=my_limits,
        body=Nothing,
        query=Nothing,
        answer=Page[LimitNow],
        access="key",
    ),
    Operation(
        method="GET",
        path="/api/me/holds",
        summary="What the caller's organization runs now",
        handler=my_holds,
        body=Nothing,
        query=Nothing,
        answer=Page[Hold],
        access="key",
    ),
)
