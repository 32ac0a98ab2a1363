"""Reading a list piece by piece: by the position of the last row seen, never by counting rows."""

from datetime import datetime
from typing import NamedTuple

MAX_ROWS = 1000


class Position(NamedTuple):
    """A row's place in a list that is ordered by time and then by identifier."""

    at: datetime
    id: str


class Slice(NamedTuple):
    """`limit` rows of a list, after `after` (None: from its beginning)."""

    limit: int = MAX_ROWS
    after: Position | None = None

    @property
    def arguments(self) -> tuple[datetime | None, str | None, int]:
        """Time, identifier and limit, as every query of a list takes them."""
        return (*(self.after or (None, None)), self.limit)
