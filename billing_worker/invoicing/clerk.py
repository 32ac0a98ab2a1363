"""The clerk: refreshes drafts, closes periods, issues. Each is one transaction that leaves all or nothing behind.

What is owed is worked out before, from one snapshot, without holding anybody up. The writing transaction then locks the
payer and goes on only if nothing of the payer was closed or cancelled meanwhile; usage that came meanwhile is late. So
any number of clerks may do the same at once, and be killed at any statement.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import asyncpg

from billing_worker.invoicing.customers import Payer
from billing_worker.invoicing.drawing import Bill, draw
from billing_worker.invoicing.issuing import issue
from billing_worker.invoicing.press import Press, UnlawfulError
from billing_worker.invoicing.rater import Rater
from ledger import alerts, audit, billing_profiles, closings, invoices, sellers
from ledger.database import Connection, Pool, reading, transaction
from ledger.errors import ConflictError
from ledger.ids import new_id
from ledger.invoice_writing import Draft, drop_drafts, lock_payer, save_draft
from ledger.invoices import InvoiceRecord
from ledger.periods import Period

ATTEMPTS = 10
UNLAWFUL = "invoice_unlawful"
INCOMPLETE = "billing_profile_incomplete"


@dataclass(frozen=True, slots=True)
class Clerk:
    """`press` may be slow: it works while the number of the invoice is held, so that invoices leave one by one."""

    pool: Pool
    rater: Rater
    press: Press

    async def refresh(
        self, payer: Payer, period: Period, at: datetime, *, keep_empty: bool = True
    ) -> InvoiceRecord | None:
        """The payer's draft for `period`, worked out anew, in the place of all drafts that share time with it.

        None where nobody owes anything, and `keep_empty` is False.
        Raises NotFoundError; ConflictError where any of the time is invoiced, or nobody said who sells.
        """
        for _ in range(ATTEMPTS):
            bill = await self._draw(payer, period)
            async with transaction(self.pool) as connection:
                await lock_payer(connection, payer.organization_id)
                if await self._current(connection, bill):
                    if bill.empty and not keep_empty:
                        await drop_drafts(connection, payer.organization_id, payer.currency, period)
                        return None
                    draft = await _save(connection, bill, at)
                    return await invoices.get(connection, draft.invoice.id)
        raise _busy()

    async def close(self, actor: str, payer: Payer, period: Period, at: datetime) -> InvoiceRecord | None:
        """Bills `period` and issues the invoice; None where there is nothing to pay, which is written down as well.

        Less than nothing is carried over: all of it stands on the next invoice that comes to something. Raises
        UnlawfulError, having raised an alert; ConflictError as `refresh` does.
        """
        return await self._issue(actor, payer, period, at, only=None)

    async def finalize(self, actor: str, invoice_id: str, at: datetime) -> InvoiceRecord:
        """Issues this draft, worked out anew. Raises as `close` does, and where there is nothing to pay."""
        async with reading(self.pool) as connection:
            present = await invoices.get(connection, invoice_id)
        if present.status != "draft":
            raise ConflictError(f"it is issued already, as {present.number}")
        payer = Payer(present.organization_id, present.currency)
        period = Period(present.period_start, present.period_end)
        made = await self._issue(actor, payer, period, at, only=invoice_id)
        if made is None:
            raise ConflictError("there is nothing to pay: no invoice is issued")
        return made

    async def _issue(
        self, actor: str, payer: Payer, period: Period, at: datetime, only: str | None
    ) -> InvoiceRecord | None:
        try:
            for _ in range(ATTEMPTS):
                bill = await self._draw(payer, period)
                async with transaction(self.pool) as connection:
                    await lock_payer(connection, payer.organization_id)
                    if not await self._current(connection, bill):
                        continue
                    if only is not None:
                        await _still_draft(connection, only)
                        if bill.empty or bill.net < 0:
                            return None
                    return await self._close(connection, actor, bill, at)
        except UnlawfulError as error:
            await self._alarm(UNLAWFUL, payer, str(error), {"findings": error.findings[:20]}, at)
            raise
        raise _busy()

    async def _close(
        self, connection: Connection, actor: str, bill: Bill, at: datetime
    ) -> InvoiceRecord | None:
        issued = None
        carried = bill.carried if bill.net < 0 else set()
        if bill.empty or carried:
            await drop_drafts(connection, bill.payer.organization_id, bill.payer.currency, bill.period)
        else:
            draft = await _save(connection, bill, at)
            series = (await sellers.get(connection)).invoice_series
            today = at.astimezone(ZoneInfo(bill.to.seller_zone)).date()
            issued = await issue(
                connection,
                self.press,
                actor,
                draft,
                series=series,
                today=today,
                days=bill.to.payment_days,
                at=at,
            )
        try:
            await closings.close(
                connection,
                bill.payer.organization_id,
                bill.payer.currency,
                issued.id if issued else None,
                spans=bill.spans,
                usage=bill.usage,
                at=at,
                replaces=bill.replaces,
                carried=carried,
            )
        except asyncpg.ExclusionViolationError:
            # An organization of the group went over to another payer, who was quicker.
            raise _busy() from None
        await alerts.resolve(connection, UNLAWFUL, bill.payer.organization_id, at=at)
        detail = {"start": bill.period.start.isoformat(), "end": bill.period.end.isoformat()}
        await _look_at_profile(connection, bill.payer.organization_id, at)
        if issued:
            await audit.write(connection, actor, "invoice.issue", issued.id, {"number": issued.number})
        else:
            await audit.write(connection, actor, "period.close", bill.payer.organization_id, detail)
        return issued

    async def _alarm(
        self, kind: str, payer: Payer, message: str, detail: dict[str, object], at: datetime
    ) -> None:
        async with transaction(self.pool) as connection:
            await alerts.raise_(
                connection, kind, payer.organization_id, "critical", message, at=at, detail=detail
            )

    async def _draw(self, payer: Payer, period: Period) -> Bill:
        async with (
            reading(self.pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await draw(connection, self.rater, payer, period)

    async def _current(self, connection: Connection, bill: Bill) -> bool:
        return await closings.state(connection, bill.group) == bill.state


async def _save(connection: Connection, bill: Bill, at: datetime) -> Draft:
    payer, period = bill.payer, bill.period
    present = await connection.fetchval(
        "select id from invoice where payer_id = $1 and currency = $2 and kind = 'invoice' and status = 'draft'"
        " and period_start = $3 and period_end = $4",
        *(payer.organization_id, payer.currency, period.start, period.end),
    )
    draft = Draft(
        invoice=bill.invoice(present or new_id("inv")),
        payer_id=payer.organization_id,
        total_requests=bill.requests,
        computed_at=at,
        spans=bill.line_spans,
    )
    await drop_drafts(connection, payer.organization_id, payer.currency, period, keep=present)
    try:
        async with connection.transaction():
            await save_draft(connection, draft)
    except asyncpg.ExclusionViolationError:
        raise ConflictError("some of that time is invoiced already") from None
    return draft


async def _look_at_profile(connection: Connection, payer_id: str, at: datetime) -> None:
    """Who is known by name alone is billed all the same; somebody should ask."""
    profile = await billing_profiles.get(connection, payer_id)
    if profile.lacking:
        text = f"invoices go out without: {', '.join(profile.lacking)}"
        await alerts.raise_(connection, INCOMPLETE, payer_id, "warning", text, at=at)
    else:
        await alerts.resolve(connection, INCOMPLETE, payer_id, at=at)


async def _still_draft(connection: Connection, invoice_id: str) -> None:
    present = await invoices.get(connection, invoice_id)
    if present.status != "draft":
        raise ConflictError(f"it is issued already, as {present.number}")


def _busy() -> ConflictError:
    return ConflictError("this payer is being billed elsewhere; try again soon")
