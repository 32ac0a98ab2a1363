"""Rounds over all payers: drafts brought up to date, what is due closed, what is unpaid told, all of it checked."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from billing_worker.invoicing.calendar import merged
from billing_worker.invoicing.clerk import Clerk
from billing_worker.invoicing.customers import Payer, customers, group, next_period, payers
from billing_worker.invoicing.daily import requests
from ledger import alerts, closings, notifications, receivables, sellers
from ledger.database import Connection, DatabaseUnavailable, reading, transaction
from ledger.periods import Period

ACTOR = "worker"
FAILED = "invoice_failed"
OVERDUE = "invoice_overdue"
UNBILLED = "usage_unbilled"
BATCH = 100

log = logging.getLogger(__name__)


class RoundError(RuntimeError):
    """Some payers could not be billed; the others were. The message names a few."""


async def close_due(clerk: Clerk, at: datetime) -> dict[str, int]:
    """Issues all that is over since the seller's grace period, payer by payer, the oldest time first.

    Raises RoundError at the end for those that failed, each with an alert; DatabaseUnavailable at once.
    """
    done = {"issued": 0, "nothing_to_pay": 0}
    async with reading(clerk.pool) as connection:
        accounts = await payers(connection)
        seller = await sellers.get(connection) if accounts else None
    grace = timedelta(hours=seller.grace_hours if seller else 0)

    async def close(payer: Payer) -> None:
        while (period := await _next(clerk, payer, at)) is not None and period.end + grace <= at:
            made = await clerk.close(ACTOR, payer, period, at)
            done["nothing_to_pay" if made is None else "issued"] += 1

    await _each(clerk, accounts, close, at)
    return done


async def refresh_all(clerk: Clerk, at: datetime) -> dict[str, int]:
    """Works out the drafts of all time that is open and has begun. Raises as `close_due` does."""
    done = {"drafts": 0}
    async with reading(clerk.pool) as connection:
        accounts = await payers(connection)

    async def refresh(payer: Payer) -> None:
        after = None
        while (period := await _next(clerk, payer, at, after)) is not None:
            made = await clerk.refresh(payer, period, at, keep_empty=False)
            done["drafts"] += made is not None
            after = period.end

    await _each(clerk, accounts, refresh, at)
    return done


async def tell_overdue(clerk: Clerk, at: datetime) -> dict[str, int]:
    """Marks what was due before today, on the seller's calendar; the payer and the administrators are told."""
    done = {"overdue": 0}
    async with reading(clerk.pool) as connection:
        seller = await sellers.find(connection)
    if seller is None:
        return done
    today = at.astimezone(ZoneInfo(seller.time_zone)).date()
    while True:
        async with transaction(clerk.pool) as connection:
            late = await receivables.become_overdue(connection, today, BATCH)
            for invoice in late:
                text = f"{invoice.number}: {invoice.due} {invoice.currency} were due on {invoice.due_on}"
                await alerts.raise_(connection, OVERDUE, invoice.id, "warning", text, at=at)
                await notifications.queue(
                    connection,
                    kind=OVERDUE,
                    organization_id=invoice.organization_id,
                    key=f"{OVERDUE}:{invoice.id}",
                    values={name: getattr(invoice, name) for name in ("number", "due", "currency", "due_on")},
                )
        done["overdue"] += len(late)
        if len(late) < BATCH:
            return done


async def check_all(clerk: Clerk, at: datetime) -> dict[str, int]:
    """Compares all usage of billed time with what was billed of it. What came late goes on the next invoice; where
    none is to come, and where less is used than was billed, an alert says so."""
    done = {"requests_billed": 0, "requests_late": 0, "organizations_wrong": 0}
    async with reading(clerk.pool) as connection:
        accounts = await payers(connection)
    for payer in accounts:
        async with _snapshot(clerk) as connection:
            to_come = await next_period(connection, clerk.rater, payer, at) is not None
            known = await customers(connection, await group(connection, payer), payer.currency)
            found = [(each, *await _compared(connection, each, payer)) for each in known]
        for organization_id, used, billed in found:
            wrong = used < billed or (used > billed and not to_come)
            done["requests_billed"] += billed
            done["requests_late"] += max(used - billed, 0)
            done["organizations_wrong"] += wrong
            async with transaction(clerk.pool) as connection:
                if wrong:
                    text = f"{used} requests are recorded of billed time, {billed} were billed"
                    await alerts.raise_(connection, UNBILLED, organization_id, "error", text, at=at)
                else:
                    await alerts.resolve(connection, UNBILLED, organization_id, at=at)
    return done


async def _compared(connection: Connection, organization_id: str, payer: Payer) -> tuple[int, int]:
    """Requests recorded, and requests billed, of the time that is billed."""
    used = billed = 0
    past = await closings.past(connection, organization_id, payer.currency)
    for stretch in merged(each.period for each in past):
        used += await requests(connection, organization_id, payer.currency, stretch)
        covered = await closings.covered(connection, organization_id, payer.currency, stretch)
        billed += sum(each.requests for each in covered)
    return used, billed


@asynccontextmanager
async def _snapshot(clerk: Clerk) -> AsyncIterator[Connection]:
    async with (
        reading(clerk.pool) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def _next(clerk: Clerk, payer: Payer, at: datetime, after: datetime | None = None) -> Period | None:
    async with reading(clerk.pool) as connection:
        return await next_period(connection, clerk.rater, payer, at, after)


async def _each(
    clerk: Clerk, accounts: list[Payer], work: Callable[[Payer], Awaitable[None]], at: datetime
) -> None:
    failed = []
    for payer in accounts:
        try:
            await work(payer)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            # One payer's fault must not keep the others from their invoices.
            log.exception("%s could not be billed", payer.organization_id)
            failed.append(f"{payer.organization_id}: {error}")
            await _alarm(clerk, payer, error, at)
        else:
            await _calm(clerk, payer, at)
    if failed:
        raise RoundError(f"{len(failed)} of {len(accounts)} payers failed; {'; '.join(failed[:3])}")


async def _alarm(clerk: Clerk, payer: Payer, error: Exception, at: datetime) -> None:
    async with transaction(clerk.pool) as connection:
        text = f"{type(error).__name__}: {error}"
        await alerts.raise_(connection, FAILED, payer.organization_id, "critical", text, at=at)


async def _calm(clerk: Clerk, payer: Payer, at: datetime) -> None:
    async with transaction(clerk.pool) as connection:
        await alerts.resolve(connection, FAILED, payer.organization_id, at=at)
