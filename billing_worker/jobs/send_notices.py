"""Mails that are due are sent; administrators are told of alerts."""

from datetime import datetime, timedelta

from billing_worker.job import Context, Report
from billing_worker.notices.outbox import send_due
from ledger import alerts, notifications
from ledger.database import transaction
from ledger.notice_kinds import AdminAlert

MOST_ALERTS = 100
ATTACHMENTS_KEPT = timedelta(days=30)


async def send_notices(context: Context, at: datetime) -> Report:
    """Queues each open alert but mere information once for the administrators, and empties the outbox.

    What was attached long ago is dropped: invoices and figures stay where they came from.
    """
    told = 0
    async with transaction(context.pool) as connection:
        for alert in await alerts.listing(connection, ended=False, limit=MOST_ALERTS):
            if alert.severity == "info":
                continue
            queued = await notifications.queue(
                connection,
                kind="admin_alert",
                organization_id=None,
                key=str(alert.id),
                values=AdminAlert(
                    alert=alert.kind,
                    object=alert.object[:500],
                    severity=alert.severity,
                    message=alert.message,
                    raised_at=alert.raised_at,
                ),
            )
            told += queued is not None
        dropped = await notifications.drop_attachments(connection, at - ATTACHMENTS_KEPT)
    done = await send_due(context.pool, context.settings.mail, at)
    return {"alerts": told, "sent": done.sent, "failed": done.failed, "kept": done.kept, "dropped": dropped}
