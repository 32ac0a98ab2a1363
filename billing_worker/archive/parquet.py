"""A Parquet file of usage: written from CSV as it comes, and read again to see what is really in it. Blocking."""

import os
from contextlib import closing
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from billing_worker.archive.columns import Column
from ledger.archive.parts import Sums
from ledger.archive.store import Store

if TYPE_CHECKING:
    from pyarrow import RecordBatch

_GROUP: Final = 65_536
_BLOCK: Final = 4 * 1024 * 1024
_CHUNK: Final = 1024 * 1024


class Written(NamedTuple):
    """`size` in bytes."""

    size: int
    sha256: bytes


class _Counted:
    """A file that is written to, and what went into it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = sha256()
        self._bytes = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._bytes += len(data)
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """The file is the store's to close."""

    def close(self) -> None:
        self.closed = True

    @property
    def written(self) -> Written:
        return Written(self._bytes, self._hash.digest())


def write(csv: int, store: Store, name: str, columns: list[Column]) -> Written:
    """From the descriptor `csv`, which is closed, to the store. Text in quotes, nothing where a value is null.

    Some row groups are in memory at a time. Raises OSError, and what pyarrow raises for what is no such CSV.
    """
    import pyarrow
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    schema = pyarrow.schema([(each.name, each.arrow()) for each in columns])
    with os.fdopen(csv, "rb") as source, store.writing(name) as file:
        batches = arrow_csv.open_csv(
            source,
            arrow_csv.ReadOptions(
                use_threads=False, block_size=_BLOCK, column_names=[each.name for each in columns]
            ),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types={each.name: each.parsed() for each in columns},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
        counted = _Counted(file)
        with parquet.ParquetWriter(
            pyarrow.PythonFile(counted, mode="w"), schema, compression="zstd", write_page_checksum=True
        ) as out:
            waiting: list[RecordBatch] = []
            for batch in batches:
                waiting.append(batch)
                if sum(len(each) for each in waiting) >= _GROUP:
                    out.write_table(pyarrow.Table.from_batches(waiting).cast(schema))
                    waiting = []
            if waiting:
                out.write_table(pyarrow.Table.from_batches(waiting).cast(schema))
        written = counted.written
    pyarrow.default_memory_pool().release_unused()
    return written


def hashed(store: Store, name: str) -> Written:
    """Of the file as it lies in the store."""
    digest, size = sha256(), 0
    with closing(store.read(name)) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Written(size, digest.digest())


def sums_in_file(store: Store, name: str, columns: list[Column]) -> tuple[int, Sums]:
    """As `sums_in_database`."""
    import pyarrow
    import pyarrow.compute as pc
    from pyarrow.parquet import ParquetFile

    counts = dict.fromkeys((each.name for each in columns), 0)
    totals = {each.name: Decimal(0) for each in columns}
    rows = 0
    with closing(store.read(name)) as source, ParquetFile(source, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            rows += len(table)
            for each in columns:
                values = table[each.name]
                counts[each.name] += len(values) - values.null_count
                total = pc.sum(each.amounts(values)).as_py()
                totals[each.name] += total if total is not None else 0
    pyarrow.default_memory_pool().release_unused()
    return rows, {name: (counts[name], f"{totals[name]:f}") for name in counts}
