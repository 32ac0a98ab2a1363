"""What cuts a period and what does not."""

from tests.billing_worker.rating.worked import (
    LONG_AGO,
    amounts,
    contract,
    entry,
    paris,
    rated,
    terms,
)

NOVEMBER = paris(2026, 11, 10)


def test_a_change_of_terms_that_costs_nothing_cuts_nothing() -> None:
    changed = paris(2026, 11, 11)
    renamed = terms(name="Pro 2", monthly_price="30", models=["gpt-*"])
    agreed = contract({"plan_1": [(LONG_AGO, terms(monthly_price="30")), (changed, renamed)]})
    records = [entry("a", paris(2026, 11, 2), 1, "0.005"), entry("b", changed, 1, "0.004")]
    assert amounts(rated(agreed, NOVEMBER, records)) == [("monthly", "30.00"), ("usage", "0.01")]
