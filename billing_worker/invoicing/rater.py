"""What invoicing asks of rating: the lines of one organization for one stretch of time, and its usage as it stands."""

from collections.abc import Sequence
from typing import Protocol

from billing_worker.rating.usage import UsageSource
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

    def usage(self, connection: Connection) -> UsageSource: ...

    async def periods(
        self, connection: Connection, organization: Organization, within: Period
    ) -> Sequence[Period]:
        """The organization's billing periods that share time with `within`, in order."""
        ...
