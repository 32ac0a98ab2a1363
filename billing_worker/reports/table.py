"""A report as a table: columns with types, rows, totals, a chart. Pure; every format is written from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from ledger.periods import Period

Kind = Literal["text", "day", "count", "money", "percent", "milliseconds", "bytes", "rate"]
"""Money is of the column's currency, with up to nine places; percent is 0 to 100; a rate is bytes a second."""

Value = str | int | Decimal | date | None


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is for programs and the key of its label for people. `total`: whether its values add up."""

    name: str
    kind: Kind
    currency: str | None = None
    total: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """Values over the chart's places, in the unit of a column's kind."""

    name: str
    values: tuple[Decimal | int | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """`places` are what the values stand over, as they are written. A series may be the range around another."""

    form: Literal["lines", "bars"]
    kind: Kind
    places: tuple[str, ...]
    series: tuple[Series, ...]
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure that stands above the table."""

    name: str
    kind: Kind
    value: Value
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`organization` is whose it is, None for all. `notes` are keys of sentences that must be read with it."""

    template: str
    period: Period
    time_zone: str
    organization: str | None
    made_at: datetime
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    totals: Mapping[str, Value] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    chart: Chart | None = None
    notes: tuple[str, ...] = ()


def totals(columns: Sequence[Column], rows: Sequence[Sequence[Value]]) -> dict[str, Value]:
    """Of the columns whose values add up, exactly."""
    return {
        column.name: sum(
            (value for row in rows if isinstance(value := row[place], int | Decimal)),
            start=Decimal(0) if column.kind == "money" else 0,
        )
        for place, column in enumerate(columns)
        if column.total
    }


def money(nano: int) -> Decimal:
    """Nano-units as whole units, exactly."""
    return Decimal(nano).scaleb(-9)


def share(part: int, whole: int) -> Decimal | None:
    """In percent, to four places."""
    return None if whole == 0 else (Decimal(part) * 100 / whole).quantize(Decimal("0.0001"))
