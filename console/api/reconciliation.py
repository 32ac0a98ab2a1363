"""Whether the counters that limits are checked by say what the ledger says."""

from datetime import datetime
from typing import Final, NamedTuple

from pydantic import BaseModel, Field

from console.call import Call, Nothing, Operation
from console.inputs import Id, Moment
from console.paging import Page, PageQuery, bad_cursor, decode, encode
from ledger import organizations
from ledger.database import reading
from ledger.organizations import Organization
from ledger.pages import Position, Slice
from ledger.records import Instant, nano_text
from proxy.quota.limits import HOLDERS, Holder
from proxy.reconciliation.account import Account, account_of
from proxy.reconciliation.comparison import NAMES, Comparison
from proxy.reconciliation.looks import Looks
from proxy.reconciliation.repairs import reconcile

_LOOKS: Final = 100
"""Organizations that one page looks at: with no difference among them it is empty, and there may be a next one."""


class Reconciled(BaseModel):
    """One measure of one scope in one period. Money is a decimal string in `currency`, all else a count.

    Used: `counters` should be `ledger` and `stream` together, `stream` being what is on its way to the ledger. Held:
    `held` is what the counters reserve, `holds` what the requests that run reserve. `difference` and `held_difference`
    are what the counters have too much (less than 0: too little), as far as it stood in two looks.
    """

    organization_id: str
    scope: Holder
    scope_id: str
    period_start: Instant
    period_end: Instant
    measure: str
    ledger: int | str
    stream: int | str
    counters: int | str
    difference: int | str
    holds: int | str
    held: int | str
    held_difference: int | str
    currency: str | None


class ReconciliationQuery(PageQuery):
    """Scopes without counters are not listed: their next call rebuilds them from the ledger."""

    organization: Id | None = None
    differences: bool = Field(False, description="only what differs")
    at: Moment | None = Field(None, description="in the periods around this time; now, if it is not given")


class _Place(NamedTuple):
    """Up to where a list has been given: an organization's row, or all of it where `scope` is empty."""

    organization: Position
    scope: str = ""
    measure: str = ""

    @classmethod
    def read(cls, cursor: str) -> "_Place":
        moment, identifier, scope, measure = decode(cursor, 4)
        try:
            at = datetime.fromisoformat(moment)
        except ValueError:
            raise bad_cursor() from None
        if at.tzinfo is None:
            raise bad_cursor()
        return cls(Position(at, identifier), scope, measure)

    def written(self) -> str:
        at, identifier = self.organization
        return encode(at.isoformat(), identifier, self.scope, self.measure)


async def listing(call: Call[Nothing, ReconciliationQuery]) -> Page[Reconciled]:
    query = call.query
    place = None if query.cursor is None else _Place.read(query.cursor)
    found, more = await _organizations(call, place)
    data: list[Reconciled] = []
    for organization in found:
        here = Position(organization.created_at, organization.id)
        for row in _after(place, organization, await _rows(call, organization)):
            if len(data) == query.limit:
                assert place is not None
                return Page[Reconciled](data=data, next_cursor=place.written())
            data.append(row)
            place = _Place(here, f"{row.scope}:{row.scope_id}", row.measure)
        place = _Place(here)
    return Page[Reconciled](data=data, next_cursor=place.written() if more and place else None)


async def _organizations(
    call: Call[Nothing, ReconciliationQuery], place: _Place | None
) -> tuple[list[Organization], bool]:
    """Those to look at for this page, and whether there are others after them."""
    async with reading(call.services.pool) as connection:
        if call.query.organization is not None:
            return [await organizations.get(connection, call.query.organization)], False
        after = None if place is None else place.organization
        found = await organizations.listing(connection, Slice(_LOOKS + 1, after))
        begun = []
        if place is not None and place.scope:
            begun = [await organizations.get(connection, place.organization.id)]
    return [*begun, *found[:_LOOKS]], len(found) > _LOOKS


async def _rows(call: Call[Nothing, ReconciliationQuery], organization: Organization) -> list[Reconciled]:
    services = call.services
    async with reading(services.pool) as connection:
        account = await account_of(connection, organization, call.query.at or call.now)
    if account is None:
        return []
    compared = await reconcile(Looks(services.redis, services.pool), account)
    return [_row(account, each) for each in compared if each.differs or not call.query.differences]


def _after(place: _Place | None, organization: Organization, rows: list[Reconciled]) -> list[Reconciled]:
    """What has not been given yet; all where the row given last is no more."""
    if place is None or place.organization.id != organization.id:
        return rows
    names = [(f"{row.scope}:{row.scope_id}", row.measure) for row in rows]
    given = names.index((place.scope, place.measure)) + 1 if (place.scope, place.measure) in names else 0
    return rows[given:]


def _row(account: Account, compared: Comparison) -> Reconciled:
    mark, _, identifier = compared.scope.partition(":")
    is_money = compared.measure == "m"

    def amount(value: int) -> int | str:
        return nano_text(value) if is_money else value

    return Reconciled(
        organization_id=account.organization_id,
        scope=HOLDERS[mark],
        scope_id=identifier,
        period_start=account.period.start,
        period_end=account.period.end,
        measure=NAMES[compared.measure],
        ledger=amount(compared.ledger),
        stream=amount(compared.stream),
        counters=amount(compared.counters),
        difference=amount(compared.difference),
        holds=amount(compared.holds),
        held=amount(compared.held),
        held_difference=amount(compared.held_difference),
        currency=account.currency if is_money else None,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/reconciliation",
        summary="Counters compared with the ledger",
        handler=listing,
        body=Nothing,
        query=ReconciliationQuery,
        answer=Page[Reconciled],
    ),
)
