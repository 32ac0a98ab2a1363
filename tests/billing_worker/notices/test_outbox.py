import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from billing_worker.notices.outbox import send_due
from config.settings import Mail, load_settings
from ledger import alerts, deliveries, members, notifications, organizations
from ledger.database import Pool, reading, transaction
from ledger.notifications import Attachment, Notification
from tests.billing_worker.notices.examples import AT, EXAMPLES
from tests.mail_server import MailServer, Manner, mail_server
from tests.proxy.upstream.certificate import PEM

HOUR = timedelta(hours=1)
ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
async def organization(pool: Pool) -> str:
    async with transaction(pool) as connection:
        made = await organizations.create(connection, "test", name="Atelier", email="office@atelier.example")
    return made.id


def mail(server: MailServer, **more: str) -> Mail:
    return load_settings({"SMTP_URL": server.url, "MAIL_FROM": "Bills <bills@mail.test>", **more}).mail


async def queue(pool: Pool, organization_id: str | None, kind: str = "quota_reached", **more: Any) -> str:
    async with transaction(pool) as connection:
        made = await notifications.queue(
            connection,
            **{
                "kind": kind,
                "organization_id": organization_id,
                "key": "one",
                "values": EXAMPLES[kind],
                **more,
            },
        )
    assert made is not None
    return made


async def look(pool: Pool, notification_id: str) -> Notification:
    async with reading(pool) as connection:
        return await notifications.get(connection, notification_id)


async def test_a_mail_is_sent_once_whoever_asks(pool: Pool, organization: str, server: MailServer) -> None:
    told = await queue(pool, organization)
    runs = await asyncio.gather(*(send_due(pool, mail(server), AT) for _ in range(5)))
    assert sum(run.sent for run in runs) == 1
    (message,) = server.mails
    assert message["Subject"] == "80 % of your tokens of the month are used"
    assert (message["From"], message["To"]) == ("Bills <bills@mail.test>", "office@atelier.example")
    (delivery,) = (await look(pool, told)).deliveries
    assert (delivery.status, delivery.attempts, delivery.sent_at) == ("sent", 1, AT)


async def test_an_organization_is_told_of_one_thing_once(pool: Pool, organization: str) -> None:
    values = EXAMPLES["quota_reached"]
    async with transaction(pool) as connection:
        for key, is_new in (("80", True), ("80", False), ("90", True)):
            made = await notifications.queue(
                connection, kind="quota_reached", organization_id=organization, key=key, values=values
            )
            assert (made is not None) == is_new


async def test_every_one_in_charge_gets_a_mail_of_his_own(
    pool: Pool, organization: str, server: MailServer
) -> None:
    people = [
        ("owner@atelier.example", "owner", True),
        ("OFFICE@atelier.example", "billing", True),
        ("coder@atelier.example", "member", True),
        ("gone@atelier.example", "admin", False),
    ]
    async with transaction(pool) as connection:
        for address, role, active in people:
            made = await members.create(
                connection,
                "test",
                organization,
                keycloak_user_id=address,
                now=AT,
                email=address,
                role=role,  # type: ignore[arg-type]
            )
            await members.change(connection, "test", made.id, {"active": active})
    await queue(pool, organization)
    await send_due(pool, mail(server), AT)
    got = [to for _, people_of_one in server.envelopes for to in people_of_one]
    assert len(got) == 2
    assert {to.lower() for to in got} == {"office@atelier.example", "owner@atelier.example"}
    assert all(len(people_of_one) == 1 for _, people_of_one in server.envelopes)


async def test_attachments_arrive_as_they_were(pool: Pool, organization: str, server: MailServer) -> None:
    content = bytes(range(256)) * 100
    pdf = Attachment("TK-2026-0042.pdf", "application/pdf", content)
    await queue(pool, organization, "invoice_issued", attachments=[pdf])
    await send_due(pool, mail(server), AT)
    (part,) = server.mails[0].iter_attachments()
    assert (part.get_filename(), part.get_content_type(), part.get_content()) == (
        "TK-2026-0042.pdf",
        "application/pdf",
        content,
    )


async def test_without_a_mail_server_it_is_kept_and_can_be_sent_later(
    pool: Pool, organization: str, server: MailServer
) -> None:
    told = await queue(pool, organization)
    assert (await send_due(pool, Mail(), AT)).kept == 1
    assert (await look(pool, told)).deliveries[0].status == "kept"
    await send_due(pool, mail(server), AT)
    assert server.mails == []
    async with transaction(pool) as connection:
        await notifications.resend(connection, told)
    await send_due(pool, mail(server), AT)
    assert len(server.mails) == 1


async def test_administrators_are_told_at_their_address(pool: Pool, server: MailServer) -> None:
    first = await queue(pool, None, "admin_alert")
    await send_due(pool, mail(server), AT)
    assert (await look(pool, first)).deliveries[0].status == "kept"
    await queue(pool, None, "admin_alert", key="two")
    await send_due(pool, mail(server, TOLLKEEPER_ALERT_EMAIL="ops@example.com"), AT)
    assert server.envelopes == [("bills@mail.test", ["ops@example.com"])]


async def test_a_greylisted_mail_is_tried_again_later(
    pool: Pool, organization: str, server: MailServer
) -> None:
    told = await queue(pool, organization)
    server.manner = "greylists"
    await send_due(pool, mail(server), AT)
    (delivery,) = (await look(pool, told)).deliveries
    assert (delivery.status, delivery.error) == ("waiting", "450 4.2.0 come again later")
    server.manner = "takes"
    await send_due(pool, mail(server), AT)
    assert server.mails == [], "tried before its pause was over"
    await send_due(pool, mail(server), AT + deliveries.PAUSES[0])
    assert len(server.mails) == 1


async def test_a_mail_that_nobody_will_ever_take_is_dead_and_stops_no_other(
    pool: Pool, organization: str, server: MailServer
) -> None:
    told = await queue(pool, organization)
    server.manner = "refuses"
    await send_due(pool, mail(server), AT)
    (delivery,) = (await look(pool, told)).deliveries
    assert (delivery.status, delivery.error) == ("dead", "550 5.1.1 nobody has that name")
    async with reading(pool) as connection:
        assert [each.kind for each in await alerts.listing(connection, ended=False)] == ["mail_dead"]
    strange = await queue(pool, organization, key="two", recipients=["a,b@x.example", "right@x.example"])
    server.manner = "takes"
    await send_due(pool, mail(server), AT)
    found = {each.recipient: each.status for each in (await look(pool, strange)).deliveries}
    assert found == {"a,b@x.example": "dead", "right@x.example": "sent"}


@pytest.mark.parametrize("manner", ["hangs", "cuts_after_data", "cuts_at_rcpt"])
async def test_a_mail_of_unknown_outcome_is_sent_again_under_the_same_id(
    pool: Pool, organization: str, server: MailServer, manner: Manner
) -> None:
    await queue(pool, organization)
    server.manner = manner
    done = await send_due(pool, mail(server), AT, seconds=0.3)
    assert done.failed == 1
    server.manner = "takes"
    await send_due(pool, mail(server), AT + HOUR)
    ids = [message["Message-ID"] for message in server.mails]
    assert len(ids) == (2 if manner == "cuts_after_data" else 1)
    assert len(set(ids)) == 1


async def test_a_worker_that_died_in_the_middle_leaves_the_mail_to_another(
    pool: Pool, organization: str, server: MailServer
) -> None:
    await queue(pool, organization)
    async with transaction(pool) as connection:
        assert await deliveries.claim(connection, AT) is not None
    await send_due(pool, mail(server), AT + deliveries.LEASE - timedelta(seconds=1))
    assert server.mails == []
    await send_due(pool, mail(server), AT + deliveries.LEASE)
    assert len(server.mails) == 1


async def test_after_many_attempts_it_is_dead(pool: Pool, organization: str, server: MailServer) -> None:
    told = await queue(pool, organization)
    server.manner = "greylists"
    at = AT
    for pause in (*deliveries.PAUSES, HOUR):
        await send_due(pool, mail(server), at)
        at += pause
    (delivery,) = (await look(pool, told)).deliveries
    assert (delivery.status, delivery.attempts) == ("dead", len(deliveries.PAUSES) + 1)
    await send_due(pool, mail(server), at + 1000 * HOUR)
    assert (await look(pool, told)).deliveries[0].attempts == delivery.attempts


async def test_a_server_that_takes_nothing_is_asked_once_a_run(
    pool: Pool, organization: str, server: MailServer
) -> None:
    for number in range(3):
        await queue(pool, organization, key=str(number))
    server.manner = "refuses_sender"
    done = await send_due(pool, mail(server), AT)
    assert (done.failed, server.connections) == (1, 1)


async def test_many_mails_take_one_connection(pool: Pool, organization: str, server: MailServer) -> None:
    for number in range(5):
        await queue(pool, organization, key=str(number))
    assert (await send_due(pool, mail(server), AT)).sent == 5
    assert server.connections == 1


async def test_a_mail_sent_anew_is_another_mail(pool: Pool, organization: str, server: MailServer) -> None:
    told = await queue(pool, organization)
    await send_due(pool, mail(server), AT)
    async with transaction(pool) as connection:
        await notifications.resend(connection, told)
    await send_due(pool, mail(server), AT)
    assert len({message["Message-ID"] for message in server.mails}) == 2


async def test_a_server_that_asks_for_a_password_gets_it(pool: Pool, organization: str) -> None:
    await queue(pool, organization)
    async with mail_server() as server:
        url = server.url.replace("//", "//bills%40mail.test:pa%3Ass@")
        await send_due(pool, Mail(SMTP_URL=SecretStr(url)), AT)
        assert server.logins == [(b"bills@mail.test", b"pa:ss")]
        assert len(server.mails) == 1


async def test_no_password_goes_over_a_network_in_the_clear(pool: Pool, organization: str) -> None:
    told = await queue(pool, organization)
    async with mail_server() as server:
        # By an address of this machine that is none of its loopback's names.
        url = f"smtp://user:secret@0.0.0.0:{server.port}"
        await send_due(pool, Mail(SMTP_URL=SecretStr(url)), AT)
        assert server.logins == []
    (delivery,) = (await look(pool, told)).deliveries
    assert delivery.error is not None
    assert "no TLS" in delivery.error
    assert "secret" not in delivery.error


@pytest.mark.parametrize("tls", ["offered", "at once"])
async def test_mails_go_by_tls_where_the_server_has_it(
    pool: Pool, organization: str, tls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    await queue(pool, organization)
    async with mail_server(tls) as server:
        url = server.url.replace("//", "//user:pa%3Ass@")
        await send_due(pool, Mail(SMTP_URL=SecretStr(url)), AT)
        assert (len(server.mails), server.encrypted, len(server.logins)) == (1, 1, 1)


@pytest.mark.parametrize("tls", ["offered", "at once"])
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    pool: Pool, organization: str, tls: Any
) -> None:
    told = await queue(pool, organization)
    async with mail_server(tls) as server:
        await send_due(pool, Mail(SMTP_URL=SecretStr(server.url)), AT)
        assert server.mails == []
    (delivery,) = (await look(pool, told)).deliveries
    assert delivery.status == "waiting"
    assert "certificate" in (delivery.error or "").lower()


async def test_attachments_are_dropped_once_they_are_old_and_sent(
    pool: Pool, organization: str, server: MailServer
) -> None:
    pdf = Attachment("TK-2026-0042.pdf", "application/pdf", b"%PDF-")
    sent = await queue(pool, organization, "invoice_issued", attachments=[pdf])
    await send_due(pool, mail(server), AT)
    waiting = await queue(pool, organization, "invoice_issued", key="two", attachments=[pdf])
    async with transaction(pool) as connection:
        await connection.execute("update notification set created_at = $1", AT)
        assert await notifications.drop_attachments(connection, AT) == 0
        assert await notifications.drop_attachments(connection, AT + HOUR) == 1
    assert ((await look(pool, sent)).attachments, len((await look(pool, waiting)).attachments)) == ((), 1)


async def test_a_worker_killed_before_the_servers_answer_costs_no_mail(
    database_url: str, pool: Pool, organization: str, server: MailServer
) -> None:
    await queue(pool, organization)
    server.manner = "takes_silently"
    code = (
        "import asyncio, os; from datetime import datetime; from billing_worker.app import run_once;"
        " from config.settings import load_settings;"
        f" asyncio.run(run_once(load_settings(os.environ), 'send_notices', datetime.fromisoformat('{AT}')))"
    )
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": database_url, "SMTP_URL": server.url}
    environ |= {"MAIL_FROM": "bills@mail.test", "PYTHONPATH": str(ROOT)}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environ)
    try:
        async with asyncio.timeout(60):
            while not server.mails:
                assert worker.returncode is None
                await asyncio.sleep(0.02)
    finally:
        worker.kill()
        await worker.wait()
    server.manner = "takes"
    await send_due(pool, mail(server), AT + deliveries.LEASE)
    first, second = server.mails
    assert first["Message-ID"] == second["Message-ID"]
