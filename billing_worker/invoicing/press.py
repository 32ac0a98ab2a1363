"""The press: from an invoice to the files that are sent, lawful or not at all."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from billing_worker.documents.appendix import UsageOfDay
from ledger.invoice import Invoice


class Printed(NamedTuple):
    pdf: bytes
    xml: bytes


class UnlawfulError(Exception):
    """The document breaks rules that it must keep, and was not issued. `findings` say which, one line each."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("; ".join(findings[:3]))
        self.findings = findings


class Press(Protocol):
    async def print(self, invoice: Invoice) -> Printed:
        """Renders and validates, within a bound. Raises UnlawfulError, and TimeoutError where that takes too long."""
        ...

    async def detailed(self, invoice: Invoice, xml: bytes, days: Sequence[UsageOfDay]) -> bytes:
        """The PDF of what was issued with this XML, and behind it what was used day by day."""
        ...

    async def preview(self, draft: Invoice) -> bytes:
        """A draft's PDF, which says that it is one."""
        ...
