"""A year as its customers and administrators live it, with the clock moved. All expected figures were worked out by
hand: they stand beside what makes them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing_worker.app import run_once
from config.settings import load_settings
from ledger.database import close_pool, open_pool, transaction
from ledger.exchange import ExchangeRates, store
from tests.console.running import Console, Fields, Record, serving

SELLER = {
    "name": "Péage SAS",
    "address": {"lines": ["1 rue des Écluses"], "postal_code": "75010", "city": "Paris", "country": "FR"},
    "siren": "732829320",
    "vat_number": "FR44732829320",
}
NEW_YORK = {"lines": ["1 Main St"], "postal_code": "10001", "city": "New York", "country": "US"}

# Atelier, in Paris. Small costs 10 a month, Large 29 and from 11 April on 60; each month 1.00 is used on the 15th.
ATELIER = {
    1: "8.10",  # from 10 January: 22 of 31 days of 10 = 7.10, and 1.00
    2: "11.66",  # 28 of 29 days of 10 = 9.66, the leap day of 29 = 1.00, and 1.00
    3: "30.10",  # 29, 1.00, and 0.10 in the last second of March, two hours before that of UTC
    4: "51.37",  # 10 of 30 days of 29 = 9.67, 20 of 60 = 40.00, 1.00, 0.20 in the first second, and 0.50 late for March
    5: "61.00",
    6: "61.00",
    7: "61.00",
    8: "61.00",
    9: "61.00",
    10: "61.30",  # 60, 1.00, and 0.30 in the last second of October, when clocks are back at one hour before UTC
    11: "61.40",  # 60, 1.00, and 0.40 in the first second of November
    12: "61.00",
}
# Essai, in Paris, from 1 March on: 31 a month, the first 14 days free; 2.00 used on 3 March is free as well.
ESSAI = {3: "17.00", **dict.fromkeys((4, 5, 6, 7, 8, 9, 10, 11, 12), "31.00")}
# Overseas, in New York, in dollars: 20 a month, and 0.55 used on 1 May at 01:00 UTC, when it is April there.
OVERSEAS = {**dict.fromkeys(range(1, 13), "20.00"), 4: "20.55"}


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2028, 1, 1, 5, tzinfo=UTC))


@pytest.fixture
async def console(database_url: str, redis_url: str, clock: Clock) -> AsyncIterator[Console]:
    async with serving(database_url, redis_url, clock) as console:
        yield console


def at(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2028, month, day, hour, minute, second, tzinfo=UTC)


@dataclass
class Year:
    console: Console
    clock: Clock
    database_url: str
    record: Record
    used: int = 0

    async def post(self, path: str, **body: Any) -> Fields:
        answer = await self.console.admin.post(f"/api/billing/invoices{path}", json=body)
        assert answer.status_code in (200, 201), answer.text
        made: Fields = answer.json()
        return made

    async def use(self, organization: Fields, when: datetime, price: str, currency: str = "EUR") -> None:
        self.used += 1
        nano = int(Decimal(price).scaleb(9))
        await self.record(
            f"req_{self.used}",
            organization["id"],
            occurred_at=when,
            price_nano=nano,
            price_nano_tokens=nano,
            currency=currency,
        )

    async def job(self, name: str) -> None:
        await run_once(load_settings({"DATABASE_URL": self.database_url}), name, self.clock.now)

    async def invoices(self, organization: Fields) -> list[Fields]:
        """The oldest first."""
        rows = await self.console.all_pages(f"/api/billing/invoices?organization={organization['id']}", 100)
        return sorted(rows, key=lambda row: (row["issued_at"] or "", row["number"] or ""))


@pytest.mark.timeout(400)
async def test_a_year_of_invoices_comes_out_as_worked_out_by_hand(
    console: Console, clock: Clock, database_url: str, record: Record
) -> None:
    year = Year(console, clock, database_url, record)
    assert (await console.admin.patch("/api/admin/seller", json=SELLER)).status_code == 200
    small = await console.make("plans", name="Small", monthly_price="10.00")
    large = await console.make("plans", name="Large", monthly_price="29.00")
    trial = await console.make("plans", name="Trial", monthly_price="31.00", trial_days=14)
    dollars = await console.make("plans", name="Dollars", monthly_price="20.00", currency="USD")
    rates = {"day": "2028-01-03", "currency": "USD", "per_euro": "1.25"}
    await state_rate(database_url, rates)
    atelier = await console.make(
        "organizations", name="Atelier", email="a@b.example", time_zone="Europe/Paris"
    )
    essai = await console.make("organizations", name="Essai", email="e@b.example", time_zone="Europe/Paris")
    overseas = await console.make(
        "organizations", name="Overseas", email="o@b.example", time_zone="America/New_York"
    )
    await console.admin.patch(
        f"/api/admin/organizations/{overseas['id']}/billing", json={"address": NEW_YORK}
    )
    await console.subscribe(overseas, dollars)

    for month in range(1, 13):
        if month == 1:
            clock.now = at(1, 9, 23)
            assert (await console.subscribe(atelier, small)).status_code == 200
        if month == 2:
            clock.now = at(2, 28, 23)
            assert (await console.subscribe(atelier, large)).status_code == 200
        if month == 3:
            clock.now = at(2, 29, 23)
            assert (await console.subscribe(essai, trial)).status_code == 200
            await year.use(essai, at(3, 3, 12), "2.00")
            await year.use(atelier, at(3, 31, 21, 59, 59), "0.10")
            await year.use(atelier, at(3, 31, 22), "0.20")
        if month == 4:
            await year.use(atelier, at(3, 20, 12), "0.50")  # recorded in April, when March is invoiced
            clock.now = at(4, 10, 22)
            changed = await console.admin.patch(
                f"/api/admin/plans/{large['id']}", json={"monthly_price": "60.00"}
            )
            assert changed.status_code == 200
            await year.use(overseas, at(5, 1, 1), "0.55", "USD")
        if month == 6:
            clock.now = at(6, 20, 8)
            await year.job("overdue")
            statuses = {
                row["status"] for row in await year.invoices(atelier) if (row["due_on"] or "9") < "2028-06-20"
            }
            assert statuses == {"overdue"}
        if month == 8:
            await july_again(year, atelier)
        if month == 10:
            await year.use(atelier, at(10, 31, 22, 59, 59), "0.30")
            await year.use(atelier, at(10, 31, 23), "0.40")
        await year.use(atelier, at(month, 15, 12), "1.00")
        clock.now = datetime(2028 + month // 12, month % 12 + 1, 2, 12, tzinfo=UTC)
        await year.job("drafts")
        await year.job("closing")
        await year.job("closing")

    for organization, expected in ((atelier, ATELIER), (essai, ESSAI), (overseas, OVERSEAS)):
        issued = [row for row in await year.invoices(organization) if row["kind"] == "invoice"]
        standing = [row for row in issued if row["status"] not in ("cancelled", "draft")]
        assert {_month(row): row["net"] for row in standing} == expected
        assert len(standing) == len(expected)
    _documents_are_right(await year.invoices(overseas))
    numbers = sorted(
        [
            row["number"]
            for each in (atelier, essai, overseas)
            for row in await year.invoices(each)
            if row["number"]
        ]
    )
    of_2028, of_2029 = 11 + 9 + 11 + 1, 3
    assert numbers == [
        "AV2028-000001",
        "AV2028-000002",
        *(f"FA2028-{n:06d}" for n in range(1, of_2028 + 1)),
        *(f"FA2029-{n:06d}" for n in range(1, of_2029 + 1)),
    ]
    late = await late_line(year, atelier)
    assert (late["period_start"], late["period_end"], late["total_price"]) == (
        "2028-03-20T00:00:00Z",
        "2028-03-21T00:00:00Z",
        "0.50",
    )
    await year.job("invoice_check")
    assert [
        alert
        for alert in (await console.admin.get("/api/admin/alerts")).json()["data"]
        if "usage" in alert["kind"]
    ] == []


async def july_again(year: Year, atelier: Fields) -> None:
    """Of July 10.00 are given back, then all; then it is invoiced once more, and that is paid."""
    year.clock.now = at(8, 5, 9)
    july = (await year.invoices(atelier))[-1]
    note = await year.post(f"/{july['id']}/credit", amount="10.00", reason="goodwill")
    assert (note["number"], note["gross"]) == ("AV2028-000001", "12.00")
    cancelled = await year.post(f"/{july['id']}/cancel", reason="addressed wrongly")
    assert (cancelled["status"], cancelled["credited"]) == ("cancelled", "73.20")
    times = {"period_start": july["period_start"], "period_end": july["period_end"]}
    draft = await year.post("", organization_id=atelier["id"], **times)
    again = await year.post(f"/{draft['id']}/finalize")
    assert (again["net"], again["issued_on"]) == (july["net"], "2028-08-05")
    payment = {"amount": "73.20", "date": "2028-08-06", "reference": "T 1"}
    assert (await year.post(f"/{again['id']}/payments", **payment))["status"] == "paid"


async def late_line(year: Year, atelier: Fields) -> Fields:
    [april] = [row for row in await year.invoices(atelier) if row["period_end"] == "2028-04-30T22:00:00Z"]
    read = (await year.console.admin.get(f"/api/billing/invoices/{april['id']}")).json()
    [late] = [item for item in read["items"] if item["period_start"] < april["period_start"]]
    found: Fields = late
    return found


async def state_rate(database_url: str, rate: dict[str, str]) -> None:
    pool = await open_pool(database_url)
    async with transaction(pool) as connection:
        await store(connection, ExchangeRates.from_rows([rate | {"source": "ECB"}]))
    await close_pool(pool)


def _month(row: Fields) -> int:
    """The month that the middle of its period lies in."""
    start, end = (datetime.fromisoformat(row[name]) for name in ("period_start", "period_end"))
    return (start + (end - start) / 2).month


def _documents_are_right(rows: list[Fields]) -> None:
    """No VAT is due overseas; in euros it is worth what the day's rate says: 20 / 1.25."""
    for row in rows:
        assert row["vat_total"] == "0.00"
        assert row["gross"] == row["net"]
        if row["net"] == "20.00" and row["number"]:
            assert row["total_amount_eur"] == "16.00"
