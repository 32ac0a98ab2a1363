"""Usage records that could not be stored: looked at one by one, tried again, or discarded for a reason."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BaseModel, StringConstraints

from console.call import Call, Input, Nothing, Operation
from console.paging import Page, PageQuery, before_of, cut, number_in
from ledger import audit, dead_letters
from ledger.database import reading, transaction
from ledger.dead_letters import DeadLetter
from ledger.errors import NotFoundError
from ledger.records import plain_text
from proxy.record.batches import Batches
from proxy.record.form import NAMES
from proxy.record.stream import Entry

_LONGEST: Final = 200


class DeadLetterQuery(PageQuery):
    closed: bool = False


class DeadLetterRead(BaseModel):
    """`readable` is what of it has the name of a field of a usage record and is plain, shortened; never all of it."""

    letter: DeadLetter
    readable: dict[str, str | int | bool | None]


class Discarding(Input):
    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=500, strict=True),
        AfterValidator(plain_text),
    ]


async def listing(call: Call[Nothing, DeadLetterQuery]) -> Page[DeadLetter]:
    query = call.query
    async with reading(call.services.pool) as connection:
        rows = await dead_letters.listing(
            connection, closed=query.closed, before=before_of(query), limit=query.limit + 1
        )
    data, cursor = cut(rows, query.limit, lambda letter: (str(letter.id),))
    return Page[DeadLetter](data=data, next_cursor=cursor)


async def get(call: Call[Nothing, Nothing]) -> DeadLetterRead:
    async with reading(call.services.pool) as connection:
        letter, payload = await dead_letters.get(connection, _id(call.ids))
    return DeadLetterRead(letter=letter, readable=_readable(payload))


async def replay(call: Call[Nothing, Nothing]) -> DeadLetter:
    """Stored if it can be now; else it stays, with what stood in the way."""
    number = _id(call.ids)
    async with transaction(call.services.pool) as connection:
        letter, payload = await dead_letters.take(connection, number)
        entry = Entry(letter.stream, letter.entry_id, payload)
        reason = await Batches(call.services.pool).restore(connection, entry, call.now)
        if reason is None:
            closed = await dead_letters.close(connection, number, "replayed", None)
        else:
            closed = await dead_letters.still_refused(connection, number, reason)
        await audit.write(
            connection, call.actor, "dead_letter.replay", str(number), {"stored": reason is None}
        )
    return closed


async def discard(call: Call[Discarding, Nothing]) -> DeadLetter:
    number, reason = _id(call.ids), call.body.reason
    async with transaction(call.services.pool) as connection:
        await dead_letters.take(connection, number)
        closed = await dead_letters.close(connection, number, "discarded", reason)
        await audit.write(connection, call.actor, "dead_letter.discard", str(number), {"reason": reason})
    return closed


def _id(ids: Mapping[str, str]) -> int:
    """Raises NotFoundError."""
    number = number_in(ids["id"])
    if number is None:
        raise NotFoundError("dead letter", ids["id"][:_LONGEST])
    return number


def _readable(payload: bytes) -> dict[str, str | int | bool | None]:
    try:
        told: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    # A hold's draft, and work that goes on, have the record inside.
    for inside in ("draft", "record"):
        if isinstance(told, dict) and isinstance(told.get(inside), dict):
            told = told[inside]
    if not isinstance(told, dict):
        return {}
    return {
        name: value[:_LONGEST] if isinstance(value, str) else value
        for name in NAMES
        if isinstance(value := told.get(name, ...), str | int | bool | None)
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/dead-letters",
        summary="List usage records that could not be stored",
        handler=listing,
        body=Nothing,
        query=DeadLetterQuery,
        answer=Page[DeadLetter],
    ),
    Operation(
        method="GET",
        path="/api/admin/dead-letters/{id}",
        summary="Read why a usage record could not be stored",
        handler=get,
        body=Nothing,
        query=Nothing,
        answer=DeadLetterRead,
    ),
    Operation(
        method="POST",
        path="/api/admin/dead-letters/{id}/replay",
        summary="Try again to store it; what still stands in the way is its reason then",
        handler=replay,
        body=Nothing,
        query=Nothing,
        answer=DeadLetter,
    ),
    Operation(
        method="POST",
        path="/api/admin/dead-letters/{id}/discard",
        summary="Give it up, for a reason that is kept with it",
        handler=discard,
        body=Discarding,
        query=Nothing,
        answer=DeadLetter,
    ),
)
