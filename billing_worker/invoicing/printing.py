"""The press of a running system: Factur-X by Typst, validated by the official rules in a process of its own."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from billing_worker.documents.appendix import UsageOfDay
from billing_worker.documents.validator import Validator
from billing_worker.invoicing.press import Printed, UnlawfulError
from ledger.invoice import Invoice

if TYPE_CHECKING:
    from billing_worker.documents.document import Document

SECONDS = 90.0
MAX_LOGO_BYTES = 1_000_000


class Printer:
    """A Press. It starts what it needs when it is first asked."""

    def __init__(self, logo: bytes | None = None) -> None:
        self._logo = logo
        self._validator = Validator()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._validator.close()

    async def print(self, invoice: Invoice) -> Printed:
        async with asyncio.timeout(SECONDS):
            document = await asyncio.to_thread(_render, invoice, self._logo)
            findings = await self._validator.validate(document)
        if findings or document.xml is None:
            raise UnlawfulError([f"{each.rule}: {each.message}" for each in findings])
        return Printed(document.pdf, document.xml)

    async def detailed(self, invoice: Invoice, xml: bytes, days: Sequence[UsageOfDay]) -> bytes:
        async with asyncio.timeout(SECONDS):
            return (await asyncio.to_thread(_render, invoice, self._logo, days, xml)).pdf

    async def preview(self, draft: Invoice) -> bytes:
        async with asyncio.timeout(SECONDS):
            return (await asyncio.to_thread(_render, draft, self._logo)).pdf


def read_logo(path: Path | None) -> bytes | None:
    """Raises OSError, and ValueError for what is too large."""
    if path is None:
        return None
    if path.stat().st_size > MAX_LOGO_BYTES:
        raise ValueError(f"{path} is larger than {MAX_LOGO_BYTES} bytes")
    return path.read_bytes()


def _render(
    invoice: Invoice, logo: bytes | None, days: Sequence[UsageOfDay] = (), sent: bytes | None = None
) -> "Document":
    # Tens of megabytes, which whoever never prints need not hold.
    from billing_worker.documents.rendering import render

    return render(invoice, logo=logo, appendix=days, sent=sent)
