"""Volume discounts, minimums, broken promises and adjustments: figures worked out by hand."""

from dataclasses import replace
from decimal import Decimal

from ledger.adjustments import Adjustment
from ledger.service_levels import ServiceLevel
from tests.billing_worker.rating.worked import (
    amounts,
    contract,
    entry,
    paris,
    rated,
    subscribed,
    terms,
)

NOVEMBER = paris(2026, 11, 10)


def test_volume_discounts_are_for_the_part_above_each_threshold() -> None:
    discounts = [{"above": "100", "percent": "10"}, {"above": "1000", "percent": "20"}]
    agreed = contract(terms(monthly_price="50", volume_discounts=discounts))
    # 900 x 10 % + 500 x 20 %, of usage alone
    of = rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "1500")])
    assert amounts(of) == [("monthly", "50.00"), ("usage", "1500.00"), ("volume", "-190.00")]
    assert amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "100")]))[2:] == []


def test_a_minimum_charges_what_is_missing_and_of_a_part_of_a_month_its_share() -> None:
    agreed = contract(terms(monthly_price="10", minimum_spend="50"))
    assert amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "15")]))[-1] == ("minimum", "25.00")
    assert len(amounts(rated(agreed, NOVEMBER, [entry("a", NOVEMBER, 1, "40")]))) == 2
    late = contract(terms(minimum_spend="50"), subscribed(start=paris(2026, 11, 16)))
    assert amounts(rated(late, NOVEMBER)) == [("minimum", "25.00")]


def test_a_broken_promise_gives_back_its_percentage_of_fees_and_usage() -> None:
    promise = {
        "uptime_percent": "99.9",
        "latency_ms_p95": 2_000,
        "credits": [
            {"below": "99.9", "percent": "5"},
            {"below": "99", "percent": "10"},
            {"measure": "latency", "above": "2000", "percent": "7"},
        ],
    }
    agreed = contract(terms(monthly_price="100", sla=promise, setup_fee="1000"))
    records = [entry("a", NOVEMBER, 1, "23.45")]
    kept = ServiceLevel(minutes=43_200, minutes_down=43, requests=10, failed=1, latency_ms_p95=2_000)
    assert amounts(rated(agreed, NOVEMBER, records, measured=kept))[2:] == []
    # 44 of 43,200 minutes: 99.898 %, rounded against us; 5 % of 123.45 = 6.1725
    down = replace(kept, minutes_down=44)
    assert amounts(rated(agreed, NOVEMBER, records, measured=down))[2:] == [("sla", "-6.17")]
    slow = replace(down, latency_ms_p95=2_001)
    assert amounts(rated(agreed, NOVEMBER, records, measured=slow))[2:] == [("sla", "-8.64")]
    worst = replace(slow, minutes_down=500)
    assert amounts(rated(agreed, NOVEMBER, records, measured=worst))[2:] == [("sla", "-12.35")]


def test_adjustments_stand_beside_all_that() -> None:
    def adjustment(amount: str, day: int) -> Adjustment:
        at = paris(2026, 11, day)
        return Adjustment(
            id=f"adj_{day}",
            organization_id="org_1",
            at=at,
            amount=Decimal(amount),
            currency="EUR",
            reason="goodwill",
            created_at=at,
        )

    agreed = contract(terms(minimum_spend="50"))
    given = [adjustment("-5.00", 3), adjustment("2.50", 4)]
    assert amounts(rated(agreed, NOVEMBER, adjustments=given)) == [
        ("minimum", "50.00"),
        ("adjustment", "-5.00"),
        ("adjustment", "2.50"),
    ]
