"""What all records of the ledger have in common."""

import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Self

import asyncpg
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)


def plain_text(value: str) -> str:
    """`value` itself. Raises ValueError for control characters, which nobody can see and Postgres refuses."""
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValueError("must not contain control characters")
    return value


def exact(value: object) -> object:
    """`value` itself. Raises ValueError for a float, which is not what its sender wrote."""
    if isinstance(value, float | bool):
        raise ValueError('give a decimal as a string, such as "1.20"')  # noqa: TRY004 - pydantic wants ValueError
    return value


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, strict=True),
    AfterValidator(plain_text),
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", strict=True),
    AfterValidator(plain_text),
]


def decimal_text(amount: Decimal) -> str:
    """A decimal string with two places or as many as it needs: 3.00, 0.000045."""
    text = f"{amount.normalize() + 0:f}"
    whole, _, places = text.partition(".")
    return f"{whole}.{places:0<2}"


def nano_text(nano: int) -> str:
    """Nano-units as a decimal string of whole units."""
    return decimal_text(Decimal(nano).scaleb(-9))


Price = Annotated[
    Decimal,
    Field(ge=0, le=10**9, decimal_places=6),
    PlainSerializer(decimal_text, return_type=str),
]
"""A price of a plan; its currency stands beside it."""


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(rfc3339, return_type=str), Field(strict=True)]
"""An aware time; written as RFC 3339 in UTC."""


class Record(BaseModel):
    """One row, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, row: asyncpg.Record | None) -> Self:
        """From the columns that have its fields' names. Raises LookupError where there is no row."""
        if row is None:
            raise LookupError(f"no row makes no {cls.__name__}")
        return cls.model_validate({name: row[name] for name in cls.model_fields})

    @classmethod
    def maybe(cls, row: asyncpg.Record | None) -> Self | None:
        return None if row is None else cls.of(row)
