"""One mail as bytes, by the standard library's rules for headers: a line break can't get into one."""

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from billing_worker.notices.words import Written
from ledger.invoice import Language
from ledger.notifications import Attachment


def compose(
    written: Written,
    attachments: Sequence[Attachment],
    *,
    sender: Address,
    recipient: Address,
    message_id: str,
    language: Language,
    at: datetime,
) -> bytes:
    """`message_id` is what stands between the angle brackets."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = written.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{message_id}>"
    # So that no holiday answers come back, from servers that ask.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(written.text)
    message.add_alternative(written.html, subtype="html")
    for each in attachments:
        main, _, sub = each.content_type.partition("/")
        message.add_attachment(each.content, maintype=main, subtype=sub, filename=each.name)
    # Last: what sets the content drops headers that describe it.
    message["Content-Language"] = language
    return message.as_bytes()
