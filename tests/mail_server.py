"""A real mail server on a socket, which takes mails, or misbehaves as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.proxy.upstream.certificate import server_context

Manner = Literal[
    "takes",
    "greylists",
    "refuses",
    "refuses_sender",
    "hangs",
    "cuts_after_data",
    "cuts_at_rcpt",
    "takes_silently",
]


@dataclass
class MailServer:
    """`mails` are those that it got whole, whatever it answered. `manner` may change at any time."""

    port: int = 0
    scheme: str = "smtp"
    manner: Manner = "takes"
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    connections: int = 0
    encrypted: int = 0
    """Of the mails, those that came by TLS."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.manner == "refuses_sender":
            return "550 5.7.1 not from there"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.manner == "greylists":
            return "450 4.2.0 come again later"
        if self.manner == "refuses":
            return "550 5.1.1 nobody has that name"
        if self.manner == "cuts_at_rcpt":
            assert server.transport is not None
            server.transport.close()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.manner == "hangs":
            await asyncio.sleep(60)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, _class=EmailMessage, policy=default)
        self.mails.append(message)
        assert server.transport is not None
        self.encrypted += server.transport.get_extra_info("sslcontext") is not None
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        if self.manner == "takes_silently":
            await asyncio.sleep(60)
        if self.manner == "cuts_after_data":
            server.transport.close()
        return "250 taken"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any
    ) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        self.logins.append((auth.login, auth.password))
        return AuthResult(success=auth.password == b"pa:ss")


@asynccontextmanager
async def mail_server(tls: Literal["no", "offered", "at once"] = "no") -> AsyncIterator[MailServer]:
    """`url` begins with smtps:// where TLS begins `at once`. The certificate is that of tests/proxy/upstream."""
    made = MailServer(scheme="smtps" if tls == "at once" else "smtp")
    loop = asyncio.get_running_loop()

    def accept() -> SMTP:
        made.connections += 1
        return SMTP(
            made,
            loop=loop,
            hostname="mail.test",
            auth_require_tls=False,
            tls_context=server_context() if tls == "offered" else None,
            authenticator=made.authenticate,
        )

    server = await loop.create_server(
        accept, "127.0.0.1", 0, ssl=server_context() if tls == "at once" else None
    )
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
