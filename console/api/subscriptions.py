"""The subscription of an organization."""

from pydantic import Field

from console.call import Call, Input, Nothing, Operation
from console.inputs import Id, Moment
from ledger import subscriptions
from ledger.announcements import announce
from ledger.database import transaction
from ledger.subscriptions import BillingInterval, PeriodAnchor, Status, Subscription


class SubscriptionWish(Input):
    plan_id: Id
    start: Moment | None = Field(None, description="when the plan begins to apply; absent: now")
    billing_interval: BillingInterval = Field("month", description="which price of the plan is paid")
    period_anchor: PeriodAnchor = Field(
        "calendar",
        description="invoices cover calendar months, or months from the day of the first subscription",
    )


class SubscriptionState(Subscription):
    status: Status


async def replace(call: Call[SubscriptionWish, Nothing]) -> SubscriptionState:
    async with transaction(call.services.pool) as connection:
        made = await subscriptions.replace(
            connection,
            call.actor,
            call.ids["id"],
            call.body.plan_id,
            now=call.now,
            start=call.body.start,
            billing_interval=call.body.billing_interval,
            period_anchor=call.body.period_anchor,
        )
    await announce(call.services.redis, made.organization_id)
    # A start that was not named is now, even if two clocks moved it by a little.
    status = made.status_at(call.now if call.body.start is not None else made.start)
    return SubscriptionState(status=status, **dict(made))


OPERATIONS = (
    Operation(
        method="PUT",
        path="/api/admin/organizations/{id}/subscription",
        summary="Put an organization on a plan",
        handler=replace,
        body=SubscriptionWish,
        query=Nothing,
        answer=SubscriptionState,
    ),
)
