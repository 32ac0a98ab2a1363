"""The limits of a plan, a project or an API key."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

UNLIMITED = -1

Count = Annotated[int, Field(ge=UNLIMITED, le=10**15, strict=True)]
Money = Annotated[Decimal, Field(ge=UNLIMITED, le=10**6, decimal_places=6)]


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
