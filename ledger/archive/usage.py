"""Archived usage beside the table: whoever reads usage of long ago is given all of it, or told why not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final

from config.settings import Archive
from ledger import rollups
from ledger.archive import answers, parts
from ledger.archive.reading import Reader, Row
from ledger.archive.store import ArchiveUnavailable, open_store
from ledger.database import Connection
from ledger.pages import Slice
from ledger.rollups import Grain
from ledger.usage_filter import Filter

_SECONDS: Final = 30.0
_AT_ONCE: Final = 1_000
_MOST: Final = 200_000
"""Rows of cut hours that are held in memory; an hour of a very busy installation."""


class ArchivedUsage:
    """What lies at `url`; None where this process is told of no archive. Raises ArchiveUnavailable."""

    def __init__(self, url: str | None, seconds: float = _SECONDS) -> None:
        self._url = url
        self._seconds = seconds

    @classmethod
    def of(cls, settings: Archive) -> "ArchivedUsage":
        return cls(None if settings.url is None else settings.url.get_secret_value())

    async def newest(
        self, connection: Connection, wanted: Filter, piece: Slice, since: datetime | None
    ) -> list[Row]:
        """The newest rows before the place in the list, as many as it wants; of a time from `since` on."""
        told = [
            part
            for part in await parts.overlapping(connection, wanted.start, wanted.end)
            if (since is None or part.last_at >= since)
            and (piece.after is None or part.first_at <= piece.after.at)
        ]
        if not told:
            return []
        reader = self._reader(told)
        return await asyncio.to_thread(reader.newest, told, wanted, piece.after, piece.limit)

    async def oldest(self, connection: Connection, wanted: Filter) -> AsyncIterator[Row]:
        """All rows, in the order of time and request."""
        told = await parts.overlapping(connection, wanted.start, wanted.end)
        if told:
            rows = self._reader(told).oldest(told, wanted)
            while some := await asyncio.to_thread(list, islice(rows, _AT_ONCE)):
                for row in some:
                    yield row

    async def cut(
        self, connection: Connection, wanted: Filter, grain: Grain = "span", cuts: Sequence[datetime] = ()
    ) -> list[Row]:
        """The rows that sums can't be made without, because the span cuts their hour: `besides` of rollups.source."""
        found: list[Row] = []
        for span in rollups.parts(rollups.Span(wanted.start, wanted.end), grain, cuts).rows:
            async for row in self.oldest(connection, replace(wanted, start=span.start, end=span.end)):
                if len(found) == _MOST:
                    raise ArchiveUnavailable("there is too much archived usage in an hour that is cut")
                found.append(row | {"usd_per_eur": str(row["usd_per_eur"])})
        return found

    async def answers(self, connection: Connection, wanted: Filter) -> answers.Answers:
        """How the requests were answered, counted."""
        told = await parts.overlapping(connection, wanted.start, wanted.end)
        if not told:
            return answers.Answers()
        tables = self._reader(told).tables(told, wanted, answers.COLUMNS)
        return await asyncio.to_thread(answers.count, tables)

    def _reader(self, told: Sequence[parts.Part]) -> Reader:
        if self._url is None:
            raise ArchiveUnavailable(
                f"usage of {told[0].month:%Y-%m} is archived, and TOLLKEEPER_ARCHIVE_URL does not say where"
            )
        return Reader(open_store(self._url), self._seconds)


NOWHERE: Final = ArchivedUsage(None)
"""For who is told of no archive: usage that is archived can't be had."""
