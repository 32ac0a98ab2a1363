"""The mail server: one connection, used for one mail after the other, every wait bounded.

smtp:// goes over to TLS where the server offers it, smtps:// begins with it; certificates are checked. A password is
never sent in the clear, except to this very machine.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from ssl import SSLError
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

SECONDS: Final = 20.0
"""For each exchange with the server."""


class NotSentError(Exception):
    """The mail was not taken, or nobody knows whether it was. `for_good`: the server will never take it.

    `of_server`: it is not about this mail, so others would fare no better.
    """

    def __init__(self, reason: str, *, for_good: bool = False, of_server: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good
        self.of_server = of_server


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails go. `host` without brackets."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> Self:
        """From smtp://user:password@host:port, or smtps://, both parts in front of the host percent-encoded."""
        parts = urlsplit(url)
        tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or (465 if tls else 587 if parts.username else 25),
            tls=tls,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password is not None else None,
        )

    @property
    def is_here(self) -> bool:
        """Whether nobody can listen on the way to it."""
        return self.host == "localhost" or (self._is_number and ip_address(self.host).is_loopback)

    @property
    def domain(self) -> str:
        """Who sends, where nobody said so."""
        return "localhost" if self._is_number else self.host

    @property
    def _is_number(self) -> bool:
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True


class Mailer:
    """Sends mails; connects when the first is sent, and again after a failure. Use it as a context manager."""

    def __init__(self, server: Server, *, seconds: float = SECONDS) -> None:
        self._server = server
        self._seconds = seconds
        self._connection: SMTP | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop()

    async def send(self, sender: str, recipient: str, message: bytes) -> None:
        """Raises NotSentError."""
        connection = await self._connected()
        try:
            await connection.sendmail(sender, [recipient], message)
        except SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0]) from error
        except (SMTPDataError, SMTPRecipientRefused) as error:
            raise _refused(error) from error
        except SMTPSenderRefused as error:
            raise NotSentError(_reason(error), of_server=True) from error
        except SMTPResponseException as error:
            self._drop()
            raise NotSentError(_reason(error)) from error
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            self._drop()
            raise NotSentError(_reason(error)) from error
        except BaseException:
            self._drop()
            raise

    async def _connected(self) -> SMTP:
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        server = self._server
        # The library's own way in would log in whether there is TLS or not.
        made = SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            start_tls=False,
            timeout=self._seconds,
            local_hostname="localhost",
        )
        try:
            await made.connect()
            await made.ehlo()
            safe = server.tls
            if not safe and made.supports_extension("starttls"):
                await made.starttls()
                await made.ehlo()
                safe = True
            await self._log_in(made, safe or server.is_here)
        except (SMTPException, OSError, SSLError, TimeoutError, ValueError) as error:
            made.close()
            raise NotSentError(_reason(error), of_server=True) from error
        except BaseException:
            made.close()
            raise
        self._connection = made
        return made

    async def _log_in(self, connection: SMTP, safe: bool) -> None:
        if self._server.user is None:
            return
        if not safe:
            raise NotSentError("the mail server offers no TLS to send a password by", of_server=True)
        await connection.login(self._server.user, self._server.password or "")

    def _drop(self) -> None:
        """Without a farewell: a server that hangs would keep us waiting for its own."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _refused(error: SMTPResponseException) -> NotSentError:
    return NotSentError(_reason(error), for_good=500 <= error.code < 600)


def _reason(error: BaseException) -> str:
    """Without what was sent; the server's own words help whoever reads it."""
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {' '.join(str(error.message).split())}"
    return f"{type(error).__name__}: {error}".rstrip(": ")
