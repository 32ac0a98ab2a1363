from datetime import UTC, datetime

from billing_worker.app import run_once
from config.settings import load_settings
from ledger import alerts
from ledger.database import Pool, transaction
from tests.mail_server import mail_server

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def test_administrators_are_told_of_an_alert_once(database_url: str, pool: Pool) -> None:
    async with transaction(pool) as connection:
        await alerts.raise_(connection, "job_failed", "closing", "critical", "it failed", at=AT)
    async with mail_server() as server:
        settings = load_settings(
            {
                "DATABASE_URL": database_url,
                "SMTP_URL": server.url,
                "MAIL_FROM": "bills@mail.test",
                "TOLLKEEPER_ALERT_EMAIL": "ops@example.com",
            }
        )
        for _ in range(2):
            await run_once(settings, "send_notices", AT)
        (message,) = server.mails
    assert message["Subject"] == "[critical] job_failed: closing"
    assert message["To"] == "ops@example.com"
