"""Mail addresses, as headers and mail servers have them."""

from email.headerregistry import Address
from email.policy import SMTP


class AddressError(ValueError):
    """An address that no mail can be sent to; the message names it."""


def mail_address(text: str) -> Address:
    """`a@b.example` or `Name <a@b.example>`. Raises AddressError, also for more than one."""
    try:
        header = SMTP.header_factory("to", text)
        found: tuple[Address, ...] = () if header.defects else header.addresses
    except (ValueError, IndexError, AttributeError) as error:
        raise AddressError(f"{text!r} is not a mail address") from error
    if len(found) != 1 or not found[0].username or not found[0].domain or not found[0].addr_spec.isascii():
        raise AddressError(f"{text!r} is not a mail address")
    return found[0]


def check_mail_address(text: str) -> str:
    """`text` itself. Raises AddressError."""
    mail_address(text)
    return text
