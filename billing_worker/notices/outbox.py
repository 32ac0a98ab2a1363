"""Empties the outbox: claims one mail after the other, sends it, notes what came of it."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address

from jinja2 import TemplateError
from pydantic import ValidationError

from billing_worker.notices.mailer import Mailer, NotSentError, Server
from billing_worker.notices.message import compose
from billing_worker.notices.words import write
from config.mail_address import AddressError, mail_address
from config.settings import Mail
from ledger import alerts, deliveries, notifications, organizations
from ledger.database import Pool, reading, transaction
from ledger.deliveries import Claimed

ALERT = "mail_dead"
RUN_SECONDS = 240.0
"""One run takes no longer, so that it ends within the bound of its job."""
SEND_SECONDS = 120.0
"""Far within the lease of a delivery."""

_UNWRITABLE = (ValidationError, LookupError, TemplateError)
"""What a version of this program that knows other kinds of messages may have queued."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sent:
    """What a run did."""

    sent: int = 0
    failed: int = 0
    kept: int = 0


async def send_due(pool: Pool, mail: Mail, at: datetime, *, seconds: float | None = None) -> Sent:
    """Sends what is due at `at`, until nothing is, the time is over, or the mail server fails.

    Without a mail server all that waits is kept. `seconds` bounds each exchange with the server.
    """
    done = Sent()
    if mail.smtp_url is None:
        async with transaction(pool) as connection:
            done.kept = await deliveries.keep_all(connection, "there is no mail server (SMTP_URL)")
        return done
    server = Server.of(mail.smtp_url.get_secret_value())
    mailer = Mailer(server) if seconds is None else Mailer(server, seconds=seconds)
    clock = asyncio.get_running_loop().time
    ends = clock() + RUN_SECONDS
    async with mailer:
        while clock() < ends:
            async with transaction(pool) as connection:
                claimed = await deliveries.claim(connection, at)
            if claimed is None or not await _deliver(pool, mail, mailer, server, claimed, at, done):
                break
    return done


async def _deliver(
    pool: Pool, mail: Mail, mailer: Mailer, server: Server, claimed: Claimed, at: datetime, done: Sent
) -> bool:
    """Whether it makes sense to go on with others."""
    recipient = claimed.recipient or mail.alert_email
    if recipient is None:
        why = "the administrators have no address (TOLLKEEPER_ALERT_EMAIL)"
        async with transaction(pool) as connection:
            await deliveries.keep(connection, claimed, why)
        done.kept += 1
        return True
    try:
        sender = mail_address(mail.sender or f"Tollkeeper <tollkeeper@{server.domain}>")
        to = mail_address(recipient)
        message = await _message(pool, claimed, at, sender=sender, recipient=to)
        async with asyncio.timeout(SEND_SECONDS):
            await mailer.send(sender.addr_spec, to.addr_spec, message)
    except (NotSentError, AddressError, TimeoutError, *_UNWRITABLE) as error:
        for_good = error.for_good if isinstance(error, NotSentError) else not isinstance(error, TimeoutError)
        async with transaction(pool) as connection:
            why = str(error) or "it took too long"
            if await deliveries.failed(connection, claimed, at, why, for_good=for_good):
                text = f"a mail to {recipient} is given up: {why}"
                await alerts.raise_(connection, ALERT, claimed.id, "info", text, at=at)
        log.warning("the mail %s was not sent: %s", claimed.id, error)
        done.failed += 1
        return not (isinstance(error, NotSentError) and error.of_server)
    async with transaction(pool) as connection:
        await deliveries.sent(connection, claimed, at)
        await alerts.resolve(connection, ALERT, claimed.id, at=at)
    done.sent += 1
    return True


async def _message(
    pool: Pool, claimed: Claimed, at: datetime, *, sender: Address, recipient: Address
) -> bytes:
    async with reading(pool) as connection:
        told = await notifications.get(connection, claimed.notification_id)
        attachments = await notifications.attached(connection, told.id)
        organization = (
            None
            if told.organization_id is None
            else await organizations.get(connection, told.organization_id)
        )
    written = write(
        told.kind,
        told.facts,
        language=told.language,
        time_zone=told.time_zone,
        organization=None if organization is None else organization.name,
    )
    return compose(
        written,
        attachments,
        sender=sender,
        recipient=recipient,
        # The same whenever this mail is tried again, so that mail servers can tell that it is.
        message_id=f"{claimed.id}.{claimed.round}@{sender.domain}",
        language=told.language,
        at=at,
    )
