"""The limits of a plan, a project or an API key."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from ledger.records import decimal_text

UNLIMITED = -1

Count = Annotated[int, Field(ge=UNLIMITED, le=10**15, strict=True)]


def _counted_or_unlimited(amount: Decimal) -> Decimal:
    if amount < 0 and amount != UNLIMITED:
        raise ValueError("must be 0 or more, or -1 for unlimited")
    return amount


def _text(amount: Decimal) -> str:
    return str(UNLIMITED) if amount < 0 else decimal_text(amount)


Money = Annotated[
    Decimal,
    Field(ge=UNLIMITED, le=10**6, decimal_places=6),
    AfterValidator(_counted_or_unlimited),
    PlainSerializer(_text, return_type=str),
]


class Limits(BaseModel):
    """What a scope may use; -1 is unlimited. A key or project may lower a plan's limits, never raise them,
    because each scope's limits are checked on their own.

    `spend_per_month` is in the plan's currency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: Count = UNLIMITED
    tokens_per_minute: Count = UNLIMITED
    concurrent_requests: Count = UNLIMITED
    requests_per_month: Count = UNLIMITED
    tokens_per_month: Count = UNLIMITED
    spend_per_month: Money = Decimal(UNLIMITED)
    traffic_gb_per_month: Count = UNLIMITED
    storage_mb: Count = UNLIMITED
    members: Count = UNLIMITED
    projects: Count = UNLIMITED
