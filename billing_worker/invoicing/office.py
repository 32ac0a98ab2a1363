"""The clerk of a running system, with all that it works with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from billing_worker.invoicing.clerk import Clerk
from billing_worker.invoicing.printing import Printer, read_logo
from billing_worker.rating.rater import LedgerRater
from config.settings import Settings, SettingsError
from ledger.archive.usage import ArchivedUsage
from ledger.database import Pool


@asynccontextmanager
async def office(pool: Pool, settings: Settings) -> AsyncIterator[Clerk]:
    """Opens without work; what printing needs is started by the first document. Raises SettingsError."""
    try:
        logo = read_logo(settings.invoices.logo)
    except (OSError, ValueError) as error:
        raise SettingsError(f"TOLLKEEPER_INVOICE_LOGO: {error}") from None
    async with Printer(logo) as printer:
        yield Clerk(pool, LedgerRater(ArchivedUsage.of(settings.archive)), printer)
