"""What a time would have cost under other terms."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field

from billing_worker.rating import calendar
from billing_worker.rating.preview import preview
from billing_worker.rating.rate import Rated
from billing_worker.rating.rater import contract_of
from console.call import Call, Input, Nothing, Operation
from console.inputs import Moment
from ledger import organizations
from ledger.database import reading
from ledger.invoice import Currency
from ledger.organizations import Organization
from ledger.periods import Period
from ledger.plans import PlanTerms
from ledger.records import Instant, decimal_text

_TICK = timedelta(microseconds=1)


class PreviewWish(Input):
    terms: PlanTerms
    at: Moment | None = Field(
        None, description="a time in the billing period that is meant; absent: in the last one that is over"
    )
    language: Literal["en", "fr"] = "en"


class PreviewLine(BaseModel):
    kind: str
    description: str
    net: str


class PreviewSum(BaseModel):
    currency: Currency
    net: str
    lines: list[PreviewLine]


class PreviewAnswer(BaseModel):
    """`was` is what the period comes to as it was, by currency; `would_be` under the terms. Both without VAT."""

    start: Instant
    end: Instant
    was: list[PreviewSum]
    would_be: PreviewSum


async def create(call: Call[PreviewWish, Nothing]) -> PreviewAnswer:
    body = call.body
    async with (
        reading(call.services.pool) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        organization = await organizations.get(connection, call.ids["id"])
        agreed = await contract_of(connection, organization)
        (found,) = calendar.periods(
            agreed.subscriptions, _moment(body.at or call.now), organization.time_zone
        )
        if body.at is None:
            (found,) = calendar.periods(
                agreed.subscriptions, _moment(found.period.start - _TICK), organization.time_zone
            )
        both = await preview(connection, organization, found.period, body.terms, call.services.archive)
    return PreviewAnswer(
        start=found.period.start,
        end=found.period.end,
        was=[_sum(organization, body, currency, rated) for currency, rated in both.was.items()],
        would_be=_sum(organization, body, body.terms.currency, both.would_be),
    )


def _moment(at: Instant) -> Period:
    return Period(at, at + _TICK)


def _sum(organization: Organization, body: PreviewWish, currency: Currency, rated: Rated) -> PreviewSum:
    lines = rated.lines(organization.id, body.language, organization.time_zone)
    return PreviewSum(
        currency=currency,
        net=decimal_text(rated.net),
        lines=[
            PreviewLine(kind=line.kind, description=line.description, net=decimal_text(line.net))
            for line in lines
        ],
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/organizations/{id}/preview",
        summary="What a billing period would have cost under other terms",
        handler=create,
        body=PreviewWish,
        query=Nothing,
        answer=PreviewAnswer,
    ),
)
