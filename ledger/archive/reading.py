"""Rows of archived files, as the table of usage has them."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import orjson

from ledger.archive.parts import Part
from ledger.archive.store import ArchiveUnavailable, Store
from ledger.pages import Position
from ledger.usage_filter import Filter

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table
    from pyarrow.parquet import ParquetFile

Row = dict[str, Any]
"""By column of `usage`; columns that came after the file was written are missing."""

_AT: Final = "occurred_at"


class Reader:
    """Blocking: for a thread of its own. Reads one row group of some ten thousand rows at a time. Raises
    ArchiveUnavailable, also once `seconds` are over."""

    def __init__(self, store: Store, seconds: float = 60.0) -> None:
        self._store = store
        self._until = monotonic() + seconds

    def newest(self, parts: Sequence[Part], wanted: Filter, before: Position | None, limit: int) -> list[Row]:
        """At most `limit` rows, the newest first: those before that place in the list."""
        found: list[Row] = []
        for part in sorted(parts, key=lambda part: part.last_at, reverse=True):
            # Files of one month may overlap.
            if len(found) >= limit and _place(found[limit - 1])[0] > part.last_at:
                break
            mine = 0
            for table in self._tables(part, wanted, backwards=True):
                rows = [row for row in _rows(table) if before is None or _place(row) < before]
                mine += len(rows)
                found += rows
                if mine >= limit:
                    break
            found.sort(key=_place, reverse=True)
            del found[limit:]
        return found

    def oldest(self, parts: Sequence[Part], wanted: Filter) -> Iterator[Row]:
        """All rows, in the order of time and request."""
        import heapq

        yield from heapq.merge(*(self._ordered(part, wanted) for part in parts), key=_place)

    def tables(self, parts: Sequence[Part], wanted: Filter, columns: Sequence[str]) -> "Iterator[Table]":
        """All rows, in no order, with these columns alone."""
        for part in parts:
            yield from self._tables(part, wanted, columns)

    def _ordered(self, part: Part, wanted: Filter) -> Iterator[Row]:
        for table in self._tables(part, wanted):
            yield from _rows(table)

    def _tables(
        self, part: Part, wanted: Filter, columns: Sequence[str] | None = None, *, backwards: bool = False
    ) -> "Iterator[Table]":
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        try:
            with closing(self._store.read(part.file)) as source, ParquetFile(source) as file:
                if file.metadata.num_rows != part.rows:
                    raise ArchiveUnavailable(f"{part.file} does not have the rows that were archived")
                groups = range(file.num_row_groups)
                for number in reversed(groups) if backwards else groups:
                    if monotonic() > self._until:
                        raise ArchiveUnavailable("reading archived usage takes too long: ask for less of it")
                    if _overlaps(file, number, wanted):
                        table = _chosen(file, number, wanted, columns)
                        if table is not None:
                            yield table
        except (OSError, ArrowException) as error:
            raise ArchiveUnavailable(f"{part.file}: {type(error).__name__}") from error


def _overlaps(file: "ParquetFile", group: int, wanted: Filter) -> bool:
    """By the times that stand in the file's own directory."""
    index = file.schema_arrow.get_field_index(_AT)
    told = file.metadata.row_group(group).column(index).statistics
    if told is None or not told.has_min_max:
        return True
    first, last = (value if value.tzinfo else value.replace(tzinfo=UTC) for value in (told.min, told.max))
    return (wanted.end is None or first < wanted.end) and (wanted.start is None or last >= wanted.start)


def _chosen(file: "ParquetFile", group: int, wanted: Filter, columns: Sequence[str] | None) -> "Table | None":
    """What is wanted of a group; what it is chosen by is read before the rest."""
    import pyarrow.compute as pc

    objects = wanted.objects
    few = file.read_row_group(group, columns=[_AT, *objects])
    masks = [pc.equal(few[name], value) for name, value in objects.items()]
    if wanted.start is not None:
        masks.append(pc.greater_equal(few[_AT], _instant(wanted.start, few[_AT])))
    if wanted.end is not None:
        masks.append(pc.less(few[_AT], _instant(wanted.end, few[_AT])))
    if not masks:
        return file.read_row_group(group, columns)
    mask = masks[0]
    for each in masks[1:]:
        mask = pc.and_(mask, each)
    if not pc.any(mask, min_count=0).as_py():
        return None
    return file.read_row_group(group, columns).filter(mask)


def _instant(at: datetime, column: "ChunkedArray") -> Any:
    import pyarrow

    return pyarrow.scalar(at, type=column.type)


def _rows(table: "Table") -> Iterator[Row]:
    for row in table.to_pylist():
        row[_AT] = row[_AT].astimezone(UTC)
        row["recorded_at"] = row["recorded_at"].astimezone(UTC)
        row["quantities"] = orjson.loads(row["quantities"])
        yield row


def _place(row: Row) -> Position:
    return Position(row[_AT], row["request_id"])
