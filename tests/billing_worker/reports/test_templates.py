from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing_worker.reports import template
from billing_worker.reports.catalogue import FORMATS, TEMPLATES
from billing_worker.reports.labels import LABELS, NOTES, TITLES, WORDS
from billing_worker.reports.template import TooLargeError
from ledger import plans, subscriptions
from ledger.database import Pool, reading, transaction
from ledger.plans import PlanTerms
from ledger.usage_filter import Filter
from ledger.usage_sums import sums
from tests.billing_worker.reports.conftest import NOW, Report
from tests.usage import enter


def test_everything_has_a_name_in_both_languages() -> None:
    for words in (LABELS, NOTES, TITLES, WORDS):
        assert set(words["en"]) == set(words["fr"])
        assert all(words["fr"].values())
    assert set(TITLES["en"]) == set(TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("form", FORMATS)
async def test_a_report_of_nothing_is_a_report(pool: Pool, report: Report, name: str, form: str) -> None:
    found = await report(name)
    assert (found["template"], found["rows"]) == (name, [])


async def test_usage_is_by_day_of_the_organizations_calendar(
    report: Report, organization: str, used: None
) -> None:
    found = await report("usage", organization_id=organization)
    assert [(row["day"], row["project"], row["model"], row["requests"]) for row in found["rows"]] == [
        ("2026-11-19", "=Research", "gpt-4o", 1),
        ("2026-11-20", None, "gpt-4o-mini", 2),
    ]
    assert found["totals"]["price"] == "1.750000001"
    assert (found["from"], found["to"]) == ("2026-10-31T23:00:00Z", "2026-11-21T12:00:00Z")
    assert found["organization"] == "Atelier"


async def test_a_report_is_of_what_it_is_asked_for(
    report: Report, organization: str, project: str, used: None
) -> None:
    assert (await report("usage", project_id=project))["totals"]["requests"] == 1
    assert (await report("usage", organization_id=organization))["totals"]["requests"] == 3
    # Within an hour too.
    span = {"start": datetime(2026, 11, 20, 9, 0, 1, tzinfo=UTC)}
    span["end"] = span["start"] + timedelta(seconds=1)
    assert (await report("usage", **span))["totals"]["requests"] == 1
    span = {"start": span["end"], "end": NOW}
    assert (await report("usage", **span))["rows"] == []


async def test_totals_are_those_of_the_ledger(
    report: Report, pool: Pool, organization: str, used: None
) -> None:
    async with reading(pool) as connection:
        ((_, whole),) = await sums(
            connection, Filter(organization_id=organization), ("organization",), limit=2
        )
    for name in ("usage", "providers_models", "cost_trend"):
        totals = (await report(name, organization_id=organization))["totals"]
        assert totals["cost"] == whole.cost_usd, name
    totals = (await report("usage", organization_id=organization))["totals"]
    assert totals["total_tokens"] == whole.total_tokens


async def test_models_are_listed_by_what_they_cost(report: Report, organization: str, used: None) -> None:
    rows = (await report("providers_models", organization_id=organization))["rows"]
    assert [(row["model"], row["errors"], row["share"]) for row in rows] == [
        ("gpt-4o", 0, "85.7143"),
        ("gpt-4o-mini", 1, "14.2857"),
    ]


async def test_performance_tells_durations_errors_and_bandwidth(
    report: Report, organization: str, used: None
) -> None:
    rows = (await report("performance", organization_id=organization))["rows"]
    first, second = rows
    # One call of 400 ms lies in the class from 300 to 500.
    assert (first["latency_p50"], first["latency_p95"], first["first_byte"]) == (400, 490, 100)
    assert first["bandwidth"] == 500
    assert (second["requests"], second["error_rate"]) == (2, "50.00")


async def test_an_hour_in_which_most_calls_fail_is_down(
    report: Report, pool: Pool, organization: str, used: None
) -> None:
    (row,) = (await report("sla", organization_id=organization))["rows"]
    assert (row["hours_used"], row["hours_down"], row["uptime"]) == (3, 1, "66.6667")
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    await enter(pool, "req_4", organization, occurred_at=at)
    (row,) = (await report("sla", organization_id=organization))["rows"]
    assert (row["hours_down"], row["uptime"]) == (0, "100.00")


async def test_a_trend_is_carried_on_to_the_end_of_the_month(
    report: Report, pool: Pool, organization: str
) -> None:
    day = date(2026, 10, 1)
    while day < date(2026, 11, 21):
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        await enter(pool, f"req_{day}", organization, occurred_at=at, price_nano_eur=10**9)
        day += timedelta(days=1)
    found = await report("cost_trend", organization_id=organization)
    facts = {fact["name"]: float(fact["value"]) for fact in found["facts"]}
    assert facts["month_to_date"] == 20
    assert facts["projection"] == pytest.approx(30, abs=0.5)
    assert facts["low"] <= facts["projection"] <= facts["high"]
    states = [row["state"] for row in found["rows"]]
    assert (states.count("actual"), states.count("projected")) == (20, 10)
    assert found["rows"][-1]["day"] == "2026-11-30"
    past = await report(
        "cost_trend",
        organization_id=organization,
        start=datetime(2026, 10, 1, tzinfo=UTC),
        end=datetime(2026, 11, 1, tzinfo=UTC),
    )
    assert past["facts"] == []


async def test_revenue_tells_what_recurs_by_plan(report: Report, pool: Pool, organization: str) -> None:
    async with transaction(pool) as connection:
        terms: dict[str, Any] = {"monthly_price": "30", "yearly_price": "300"}
        plan = await plans.create(connection, "test", PlanTerms(name="Pro", **terms))
        await subscriptions.replace(connection, "test", organization, plan.id, now=NOW - timedelta(days=3))
    monthly = await report("revenue")
    async with transaction(pool) as connection:
        await connection.execute("update subscription set billing_interval = 'year'")
    yearly = await report("revenue")
    found = [
        (row["plan"], row["active"], row["annual"], row["mrr"]) for row in monthly["rows"] + yearly["rows"]
    ]
    assert found == [("Pro", 1, 0, "30.00"), ("Pro", 1, 1, "25.00")]


async def test_a_report_with_too_many_rows_is_refused(
    report: Report, used: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "MAX_ROWS", 1)
    with pytest.raises(TooLargeError, match="shorter time"):
        await report("usage")


async def test_india_has_days_of_its_own(pool: Pool, report: Report) -> None:
    from ledger import organizations

    async with transaction(pool) as connection:
        made = await organizations.create(connection, "test", name="Pune", time_zone="Asia/Kolkata")
    # Midnight there is 18:30 UTC.
    for number, minute in enumerate((29, 30)):
        at = datetime(2026, 11, 19, 18, minute, tzinfo=UTC)
        await enter(pool, f"req_{number}", made.id, occurred_at=at)
    rows = (await report("usage", organization_id=made.id))["rows"]
    assert [row["day"] for row in rows] == ["2026-11-19", "2026-11-20"]
