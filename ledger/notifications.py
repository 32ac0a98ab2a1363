"""Notifications: what people are told by mail, queued in the transaction that makes it true, once for each thing.

They are sent by the worker and stay for people to read. See notice_kinds for the kinds and their values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import asyncpg
from pydantic import BaseModel

from ledger import billing_profiles, organizations, sellers
from ledger.database import Connection
from ledger.errors import NotFoundError
from ledger.ids import new_id
from ledger.invoice import Language
from ledger.notice_kinds import KINDS
from ledger.pages import Slice
from ledger.records import Instant, Record

Status = Literal["waiting", "sending", "sent", "kept", "dead"]
"""`kept` was not to be sent, for want of a mail server or an address; `dead` was tried in vain."""

_HELD_BY = ("owner", "admin", "billing")
MAX_ATTACHMENT_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attachment:
    """`name` is a file's, such as invoice.pdf; `content_type` such as application/pdf."""

    name: str
    content_type: str
    content: bytes


class Delivery(Record):
    """One mail to one person. `recipient` is null for the administrators, whose address is a setting."""

    id: str
    recipient: str | None
    status: Status
    attempts: int
    round: int
    due_at: Instant | None
    sent_at: Instant | None
    error: str | None


class Notification(Record):
    """Without an organization it is for the administrators."""

    id: str
    kind: str
    organization_id: str | None
    key: str
    facts: dict[str, Any]
    language: Language
    time_zone: str
    created_at: Instant
    deliveries: tuple[Delivery, ...]
    attachments: tuple[str, ...]


async def queue(
    connection: Connection,
    *,
    kind: str,
    organization_id: str | None,
    key: str,
    values: Mapping[str, Any] | BaseModel,
    attachments: Sequence[Attachment] = (),
    recipients: Sequence[str] | None = None,
) -> str | None:
    """Queues a message and gives its id; None if the organization was told of `key` already. Call it in a transaction.

    `recipients`: the organization's own address and its owners, admins and billing members where None. Raises
    KeyError for a kind that there is none of, pydantic's ValidationError for values that do not fit it, and
    NotFoundError for an organization.
    """
    facts = KINDS[kind].model_validate(values if isinstance(values, Mapping) else values.model_dump())
    language, time_zone = await _manner(connection, organization_id)
    made = await connection.fetchval(
        "insert into notification (id, kind, organization_id, key, facts, language, time_zone)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id",
        *(new_id("note"), kind, organization_id, key, facts.model_dump(mode="json"), language, time_zone),
    )
    if made is None:
        return None
    await connection.executemany(
        "insert into notification_attachment (notification_id, place, name, content_type, content)"
        " values ($1, $2, $3, $4, $5)",
        [(made, place, each.name, each.content_type, each.content) for place, each in enumerate(attachments)],
    )
    if organization_id is None and recipients is None:
        people: list[str | None] = [None]
    else:
        people = [*(await _people(connection, organization_id) if recipients is None else recipients)]
    await connection.executemany(
        "insert into notification_delivery (id, notification_id, recipient) values ($1, $2, $3)",
        [(new_id("mail"), made, person) for person in people],
    )
    return str(made)


async def _manner(connection: Connection, organization_id: str | None) -> tuple[Language, str]:
    """The language and time zone of whoever is told."""
    if organization_id is None:
        return "en", "UTC"
    organization = await organizations.get(connection, organization_id)
    profile, seller = await billing_profiles.get(connection, organization_id), await sellers.find(connection)
    country = profile.country(seller.address.country if seller is not None else "")
    return profile.language_for(country), organization.time_zone


async def _people(connection: Connection, organization_id: str | None) -> list[str]:
    """Each address once, however its letters are written."""
    rows = await connection.fetch(
        "select distinct on (lower(email)) email from (select email from organization where id = $1"
        " union all select email from member where organization_id = $1 and active and role = any($2::text[])) found"
        " where email is not null order by lower(email), email",
        *(organization_id, list(_HELD_BY)),
    )
    return [row["email"] for row in rows]


async def get(
    connection: Connection, notification_id: str, organization_id: str | None = None
) -> Notification:
    """Of `organization_id`, if that is given. Raises NotFoundError."""
    row = await connection.fetchrow(
        "select * from notification where id = $1 and ($2::text is null or organization_id = $2)",
        *(notification_id, organization_id),
    )
    if row is None:
        raise NotFoundError("notification", notification_id)
    return (await _whole(connection, [row]))[0]


async def listing(
    connection: Connection,
    part: Slice,
    *,
    organization_id: str | None = None,
    kind: str | None = None,
    status: Status | None = None,
) -> list[Notification]:
    """The newest first; those with a delivery of that status."""
    rows = await connection.fetch(
        "select * from notification where ($1::timestamptz is null or (created_at, id) < ($1, $2::text))"
        " and ($4::text is null or organization_id = $4) and ($5::text is null or kind = $5)"
        " and ($6::text is null or exists (select from notification_delivery"
        " where notification_id = notification.id and status = $6))"
        " order by created_at desc, id desc limit $3",
        *(*part.arguments, organization_id, kind, status),
    )
    return await _whole(connection, rows)


async def _whole(connection: Connection, rows: Sequence[asyncpg.Record]) -> list[Notification]:
    ids = [row["id"] for row in rows]
    deliveries: dict[str, list[Delivery]] = {each: [] for each in ids}
    for row in await connection.fetch(
        "select * from notification_delivery where notification_id = any($1::text[]) order by recipient, id",
        ids,
    ):
        deliveries[row["notification_id"]].append(Delivery.of(row))
    names: dict[str, list[str]] = {each: [] for each in ids}
    for row in await connection.fetch(
        "select notification_id, name from notification_attachment where notification_id = any($1::text[])"
        " order by place",
        ids,
    ):
        names[row["notification_id"]].append(row["name"])
    return [
        Notification.model_validate(
            {**dict(row), "deliveries": deliveries[row["id"]], "attachments": names[row["id"]]}
        )
        for row in rows
    ]


async def attached(connection: Connection, notification_id: str) -> list[Attachment]:
    rows = await connection.fetch(
        "select name, content_type, content from notification_attachment where notification_id = $1 order by place",
        notification_id,
    )
    return [Attachment(row["name"], row["content_type"], row["content"]) for row in rows]


async def drop_attachments(connection: Connection, before: datetime) -> int:
    """Of what was told before, and is not waiting to be sent. How many."""
    done = await connection.execute(
        "delete from notification_attachment using notification where notification.id = notification_id"
        " and created_at < $1 and not exists (select from notification_delivery"
        " where notification_delivery.notification_id = notification.id and (status in ('waiting', 'sending')"
        " or sent_at >= $1))",
        before,
    )
    return int(done.rpartition(" ")[2])


async def resend(connection: Connection, notification_id: str) -> Notification:
    """Every mail of it is due again at once, as a new one if it was sent before. Raises NotFoundError."""
    await get(connection, notification_id)
    await connection.execute(
        "update notification_delivery set status = 'waiting', attempts = 0, due_at = null, error = null,"
        " round = round + (status = 'sent')::int where notification_id = $1 and status <> 'sending'",
        notification_id,
    )
    return await get(connection, notification_id)
