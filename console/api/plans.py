"""Plans."""

from pydantic import BaseModel

from console.call import Call, Nothing, Operation
from console.paging import Page, PageQuery, page_of, slice_of
from console.partial import changes, partial
from ledger import plan_history, plans
from ledger.announcements import announce
from ledger.changes import EVERYONE
from ledger.database import reading, transaction
from ledger.plans import Plan, PlanTerms
from ledger.records import Instant

PlanChange = partial("PlanChange", PlanTerms)


async def create(call: Call[PlanTerms, Nothing]) -> Plan:
    async with transaction(call.services.pool) as connection:
        return await plans.create(connection, call.actor, call.body, at=call.now)


async def listing(call: Call[Nothing, PageQuery]) -> Page[Plan]:
    async with reading(call.services.pool) as connection:
        rows = await plans.listing(connection, slice_of(call.query))
    return page_of(Page[Plan], rows, call.query, lambda row: (row.created_at, row.id))


async def change(call: Call[BaseModel, Nothing]) -> Plan:
    """Of `limits` and of the plan itself, what is not named stays as it is."""
    wanted = changes(call.body)
    async with transaction(call.services.pool) as connection:
        if not wanted:
            return await plans.get(connection, call.ids["id"])
        changed = await plans.change(connection, call.actor, call.ids["id"], wanted, at=call.now)
    await announce(call.services.redis, EVERYONE)
    return changed


class TermsThen(BaseModel):
    """The terms that a plan had from `valid_from` until the next ones."""

    valid_from: Instant
    terms: PlanTerms


async def history(call: Call[Nothing, Nothing]) -> Page[TermsThen]:
    async with reading(call.services.pool) as connection:
        await plans.get(connection, call.ids["id"])
        known = await plan_history.of_plan(connection, call.ids["id"])
    return Page[TermsThen](data=[TermsThen(valid_from=each.valid_from, terms=each.terms) for each in known])


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/plans",
        summary="Create a plan",
        handler=create,
        body=PlanTerms,
        query=Nothing,
        answer=Plan,
        status=201,
    ),
    Operation(
        method="GET",
        path="/api/admin/plans",
        summary="List plans",
        handler=listing,
        body=Nothing,
        query=PageQuery,
        answer=Page[Plan],
    ),
    Operation(
        method="PATCH",
        path="/api/admin/plans/{id}",
        summary="Change a plan, for all who are on it",
        handler=change,
        body=PlanChange,
        query=Nothing,
        answer=Plan,
    ),
    Operation(
        method="GET",
        path="/api/admin/plans/{id}/terms",
        summary="The terms that a plan has had, the oldest first",
        handler=history,
        body=Nothing,
        query=Nothing,
        answer=Page[TermsThen],
    ),
)
