"""The columns of usage as they go from Postgres through CSV into Parquet, and how each is added up on either side."""

from typing import TYPE_CHECKING, Final, NamedTuple

from ledger.archive.parts import Sums
from ledger.database import Connection

if TYPE_CHECKING:
    from pyarrow import Array, ChunkedArray, DataType

_INTEGERS: Final = {"bigint": "int64", "integer": "int32", "smallint": "int16"}
_MICROSECONDS: Final = "(extract(epoch from {}) * 1000000)::bigint"


class Column(NamedTuple):
    """`kind` is its type in Postgres, as `numeric(18,6)`."""

    name: str
    kind: str

    @property
    def told(self) -> str:
        """Its value as SQL for the CSV: times in unix microseconds."""
        return _MICROSECONDS.format(self.name) if self.kind == "timestamp with time zone" else self.name

    @property
    def amount(self) -> str:
        """What of it is added up, as SQL: text by its bytes."""
        if self.kind in _INTEGERS or self.kind.startswith("numeric") or self.told != self.name:
            return self.told
        return f"{self.name}::int" if self.kind == "boolean" else f"octet_length({self.name}::text)"

    def arrow(self) -> "DataType":
        """Its type in the file. Raises ValueError for one that nobody has thought of."""
        import pyarrow

        if self.kind in _INTEGERS:
            return getattr(pyarrow, _INTEGERS[self.kind])()
        if self.kind.startswith("numeric("):
            return pyarrow.decimal128(*map(int, self.kind[8:-1].split(",")))
        match self.kind:
            case "text" | "jsonb":
                return pyarrow.string()
            case "boolean":
                return pyarrow.bool_()
            case "timestamp with time zone":
                return pyarrow.timestamp("us", "UTC")
        raise ValueError(f"the column {self.name} has a type that is not archived: {self.kind}")

    def parsed(self) -> "DataType":
        """Its type as the CSV is read."""
        import pyarrow

        return pyarrow.int64() if self.told != self.name else self.arrow()

    def amounts(self, values: "Array | ChunkedArray") -> "Array | ChunkedArray":
        """The same as `amount`, of the file's values; wide enough that no sum of them overflows."""
        import pyarrow
        import pyarrow.compute as pc

        if self.kind.startswith("numeric"):
            return values.cast(pyarrow.decimal128(38, 6))
        if self.kind in ("text", "jsonb"):
            values = pc.binary_length(values)
        return values.cast(pyarrow.int64()).cast(pyarrow.decimal128(38, 0))


async def columns_of(connection: Connection, table: str) -> list[Column]:
    rows = await connection.fetch(
        "select attname as name, format_type(atttypid, atttypmod) as kind from pg_attribute"
        " where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum",
        table,
    )
    return [Column(row["name"], row["kind"]) for row in rows]


async def sums_in_database(
    connection: Connection, table: str, columns: list[Column], timeout: float
) -> tuple[int, Sums]:
    """How many rows, and the sums of each column."""
    texts = [
        f"count({each.name}) as c{number}, coalesce(sum({each.amount}), 0)::text as s{number}"
        for number, each in enumerate(columns)
    ]
    row = await connection.fetchrow(
        f"select count(*) as rows, {', '.join(texts)} from {table}", timeout=timeout
    )
    assert row is not None  # an aggregate always has its row
    return row["rows"], {
        each.name: (row[f"c{number}"], row[f"s{number}"]) for number, each in enumerate(columns)
    }
