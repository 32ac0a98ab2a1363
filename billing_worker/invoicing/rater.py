"""What invoicing asks of rating: an organization's billing periods, and its lines for a stretch of time."""

from collections.abc import Sequence
from typing import Protocol

from ledger.database import Connection
from ledger.invoice import Currency, InvoiceLine, Language
from ledger.organizations import Organization
from ledger.periods import Period


class Rater(Protocol):
    """All answers within one transaction are of one instant, if it reads repeatably."""

    async def lines(
        self,
        connection: Connection,
        organization: Organization,
        currency: Currency,
        span: Period,
        language: Language,
    ) -> Sequence[InvoiceLine]:
        """Fees, usage, credits: all that falls due in `span` under plans of `currency`; VAT is not decided here."""
        ...

    async def periods(
        self, connection: Connection, organization: Organization, within: Period
    ) -> Sequence[Period]:
        """The organization's billing periods that share time with `within`, in order."""
        ...
