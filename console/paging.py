"""Lists, piece by piece. A cursor holds the place of the last row given; to clients it is opaque."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar

import orjson
from pydantic import BaseModel, Field

from console.call import Input
from ledger.pages import MAX_ROWS, Position, Slice
from proxy.errors import Refusal

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound=BaseModel)

CursorText = Annotated[str, Field(max_length=2_000)]


class Page(BaseModel, Generic[RecordT]):
    """`next_cursor` is null on the last page."""

    data: list[RecordT]
    next_cursor: str | None = None


class PageQuery(Input):
    cursor: CursorText | None = None
    limit: int = Field(100, ge=1, le=MAX_ROWS)


def encode(*parts: str) -> str:
    return urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode(cursor: str, length: int) -> tuple[str, ...]:
    """The parts that `encode` was given. Raises Refusal for what is no cursor of that many parts."""
    try:
        parts = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        whole = type(parts) is list and len(parts) == length
        if whole and all(type(part) is str and "\0" not in part for part in parts):
            return tuple(parts)
    except ValueError:
        pass
    raise bad_cursor()


def bad_cursor() -> Refusal:
    message = "'cursor' must be the next_cursor of a page of this list"
    return Refusal(400, message, code="invalid_value", param="cursor")


def number_in(text: str) -> int | None:
    """A row's number as people write it; None for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def before_of(query: PageQuery) -> int | None:
    """In a list by falling number: that of the last row given. Raises Refusal."""
    if query.cursor is None:
        return None
    number = number_in(*decode(query.cursor, 1))
    if number is None:
        raise bad_cursor()
    return number


def slice_of(query: PageQuery) -> Slice:
    """The rows to ask for: one more than the page takes, to know whether there is another page."""
    if query.cursor is None:
        return Slice(query.limit + 1)
    moment, identifier = decode(query.cursor, 2)
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise bad_cursor() from None
    if at.tzinfo is None:
        raise bad_cursor()
    return Slice(query.limit + 1, Position(at, identifier))


def cut(rows: Sequence[T], limit: int, place: Callable[[T], tuple[str, ...]]) -> tuple[list[T], str | None]:
    """The page's rows, and the cursor of the next page."""
    kept = list(rows[:limit])
    return kept, encode(*place(kept[-1])) if len(rows) > limit else None


def page_of(
    page: type[Page[RecordT]],
    rows: Sequence[RecordT],
    query: PageQuery,
    position: Callable[[RecordT], tuple[datetime, str]],
) -> Page[RecordT]:
    """A page of rows that are ordered by time and identifier, read by `slice_of`."""

    def place(row: RecordT) -> tuple[str, ...]:
        at, identifier = position(row)
        return at.isoformat(), identifier

    data, cursor = cut(rows, query.limit, place)
    return page(data=data, next_cursor=cursor)
