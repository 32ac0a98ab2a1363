"""Notifications: what people were told, or are to be told, by mail."""

from typing import Self

from pydantic import BaseModel

from billing_worker.notices.words import write
from console.call import Call, Nothing, Operation
from console.inputs import Id
from console.paging import Page, PageQuery, page_of, slice_of
from ledger import audit, notifications
from ledger.database import Connection, reading, transaction
from ledger.names import names_of
from ledger.notifications import Delivery, Notification, Status
from ledger.records import Instant


class MyNotification(BaseModel):
    """A message as its readers have it, in their language."""

    id: str
    kind: str
    subject: str
    text: str
    attachments: tuple[str, ...]
    created_at: Instant

    @classmethod
    def of(cls, told: Notification, organization: str | None) -> Self:
        written = write(
            told.kind,
            told.facts,
            language=told.language,
            time_zone=told.time_zone,
            organization=organization,
        )
        values = {name: value for name, value in told if name in cls.model_fields}
        return cls.model_validate({**values, "subject": written.subject, "text": written.text})


class SentNotification(MyNotification):
    """A message, and the mails that bring it. Without an organization it is for the administrators."""

    organization_id: str | None
    deliveries: tuple[Delivery, ...]


class NotificationQuery(PageQuery):
    organization: Id | None = None
    kind: Id | None = None
    status: Status | None = None


async def listing(call: Call[Nothing, NotificationQuery]) -> Page[SentNotification]:
    query = call.query
    async with reading(call.services.pool) as connection:
        told = await notifications.listing(
            connection,
            slice_of(query),
            organization_id=query.organization,
            kind=query.kind,
            status=query.status,
        )
        names = await names_of(connection, {each.organization_id for each in told})
    rows = [SentNotification.of(each, names.get(each.organization_id or "")) for each in told]
    return page_of(Page[SentNotification], rows, query, lambda row: (row.created_at, row.id))


async def get(call: Call[Nothing, Nothing]) -> SentNotification:
    async with reading(call.services.pool) as connection:
        return await _shown(connection, await notifications.get(connection, call.ids["id"]))


async def resend(call: Call[Nothing, Nothing]) -> SentNotification:
    async with transaction(call.services.pool) as connection:
        told = await notifications.resend(connection, call.ids["id"])
        await audit.write(connection, call.actor, "notification.resend", told.id, {"kind": told.kind})
        return await _shown(connection, told)


async def _shown(connection: Connection, told: Notification) -> SentNotification:
    names = await names_of(connection, {told.organization_id})
    return SentNotification.of(told, names.get(told.organization_id or ""))


async def mine(call: Call[Nothing, PageQuery]) -> Page[MyNotification]:
    organization = call.caller.organization
    async with reading(call.services.pool) as connection:
        told = await notifications.listing(connection, slice_of(call.query), organization_id=organization.id)
    rows = [MyNotification.of(each, organization.name) for each in told]
    return page_of(Page[MyNotification], rows, call.query, lambda row: (row.created_at, row.id))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/admin/notifications",
        summary="List what people were told by mail, the newest first",
        handler=listing,
        body=Nothing,
        query=NotificationQuery,
        answer=Page[SentNotification],
    ),
    Operation(
        method="GET",
        path="/api/admin/notifications/{id}",
        summary="Read a notification",
        handler=get,
        body=Nothing,
        query=Nothing,
        answer=SentNotification,
    ),
    Operation(
        method="POST",
        path="/api/admin/notifications/{id}/resend",
        summary="Send its mails again",
        handler=resend,
        body=Nothing,
        query=Nothing,
        answer=SentNotification,
    ),
    Operation(
        method="GET",
        path="/api/me/notifications",
        summary="What the caller's organization was told",
        handler=mine,
        body=Nothing,
        query=PageQuery,
        answer=Page[MyNotification],
        access="key",
    ),
)
