"""Terms of a plan beyond the price of tokens: what a month is discounted for, what goes beyond the quota, promises."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from ledger.records import Price, decimal_text, exact

_Percent = Annotated[
    Decimal,
    BeforeValidator(exact),
    Field(ge=0, le=100, decimal_places=4),
    PlainSerializer(decimal_text, return_type=str),
]
Measure = Literal["uptime", "error_rate", "latency"]


class VolumeDiscount(BaseModel):
    """`percent` off the part of a period's usage, in money, that lies above `above` and below the next one's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    above: Price
    percent: _Percent


def rising(discounts: tuple[VolumeDiscount, ...]) -> tuple[VolumeDiscount, ...]:
    """`discounts` themselves. Raises ValueError unless each begins above the one before."""
    if any(later.above <= earlier.above for earlier, later in pairwise(discounts)):
        raise ValueError("'above' must rise from one discount to the next")
    return discounts


class OveragePrice(BaseModel):
    """What is beyond the quota costs `price` for each begun `block` of tokens or requests, instead of its own price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per: Literal["tokens", "requests"]
    block: int = Field(1, ge=1, le=10**12, strict=True)
    price: Price


class SlaCredit(BaseModel):
    """`percent` of a period's charges back, where the uptime was below `below`, or the error rate (percent) or the
    latency (ms) above `above`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: Measure = "uptime"
    below: _Percent | None = None
    above: Annotated[Decimal, BeforeValidator(exact), Field(ge=0, le=10**9, decimal_places=4)] | None = None
    percent: _Percent

    @model_validator(mode="after")
    def _its_own_bound(self) -> Self:
        bound = "below" if self.measure == "uptime" else "above"
        if (self.below is not None) != (bound == "below") or (self.above is not None) != (bound == "above"):
            raise ValueError(f"a credit for {self.measure} has '{bound}' and not the other")
        return self


class Sla(BaseModel):
    """What is promised for a period, and what is credited where it was not kept: the highest credit that applies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uptime_percent: _Percent | None = None
    error_rate_percent: _Percent | None = None
    latency_ms_p95: int | None = Field(None, ge=1, le=10**9, strict=True)
    credits: tuple[SlaCredit, ...] = Field((), max_length=50)

    @model_validator(mode="after")
    def _credits_for_promises(self) -> Self:
        promised = {
            "uptime": self.uptime_percent,
            "error_rate": self.error_rate_percent,
            "latency": self.latency_ms_p95,
        }
        for credit in self.credits:
            promise, bound = promised[credit.measure], credit.below if credit.above is None else credit.above
            if promise is None:
                raise ValueError(f"there is a credit for {credit.measure}, but nothing is promised of it")
            assert bound is not None
            if bound > promise if credit.measure == "uptime" else bound < promise:
                raise ValueError(f"a credit for {credit.measure} would be due although the promise was kept")
        return self
