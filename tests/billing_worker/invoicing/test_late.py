"""However usage is spread over invoices, they come to what one invoice would have come to."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing_worker.invoicing.late import Surplus, owed, surplus
from ledger.closings import Billed, Covered
from ledger.invoice import InvoiceLine
from ledger.periods import Period
from tests.billing_worker.invoicing.world import OCTOBER

ORGANIZATION = "org_1"
models = st.sampled_from([None, "gpt-4o", "o3"])
nets = st.decimals(-1000, 1000, places=2)
ratings = st.lists(st.dictionaries(models, nets, max_size=3), min_size=1, max_size=6)


def line(model: str | None, net: Decimal) -> InvoiceLine:
    return InvoiceLine(
        kind="usage" if model else "subscription",
        description="line",
        quantity=Decimal(1),
        unit="C62",
        unit_price=abs(net),
        base_quantity=Decimal(1),
        net=net,
        vat_category="S",
        vat_rate=Decimal(20),
        period=OCTOBER,
        organization_id=ORGANIZATION,
        model=model,
    )


def difference(rated: dict[str | None, Decimal], before: list[InvoiceLine]) -> tuple[InvoiceLine, ...]:
    sums: dict[str | None, Decimal] = {}
    for each in before:
        sums[each.model] = sums.get(each.model, Decimal(0)) + each.net
    billed = [
        Billed("usage" if model else "subscription", None, None, model, net) for model, net in sums.items()
    ]
    lines = [line(model, net) for model, net in rated.items() if net]
    return owed(lines, billed, [], span=OCTOBER, organization_id=ORGANIZATION, language="en", time_zone="UTC")


@given(ratings)
def test_all_invoices_together_come_to_the_last_rating(known: list[dict[str | None, Decimal]]) -> None:
    issued: list[InvoiceLine] = []
    for rated in known:
        issued += difference(rated, issued)
        assert sum(each.net for each in issued) == sum(rated.values())
        assert difference(rated, issued) == ()
    for each in issued:
        assert each.unit_price > 0
        assert each.quantity * each.unit_price == each.net


counts = st.dictionaries(
    st.tuples(st.integers(0, 30), st.sampled_from(["", "proj_1"]), st.sampled_from(["gpt-4o", "o3"])),
    st.integers(1, 50),
    max_size=12,
)


def covered(found: dict[tuple[int, str, str], int]) -> list[Covered]:
    return [
        Covered(
            ORGANIZATION,
            OCTOBER.start,
            OCTOBER.start + timedelta(days=day),
            project,
            model,
            count,
            7 * count,
            count,
        )
        for (day, project, model), count in found.items()
    ]


@given(counts, counts)
def test_surplus_and_what_was_billed_make_up_what_is_there(
    before: dict[tuple[int, str, str], int], more: dict[tuple[int, str, str], int]
) -> None:
    now = {key: before.get(key, 0) + more.get(key, 0) for key in before | more}
    found = surplus(covered(now), covered(before), OCTOBER)
    assert {
        ((each.period.start - OCTOBER.start).days, each.project_id, each.model): each.requests
        for each in found
    } == more
    assert all(each.tokens == 7 * each.requests for each in found)
    assert all(each.period.end - each.period.start == timedelta(days=1) for each in found)


def test_what_came_late_for_one_project_is_not_told_of_another_with_the_same_model() -> None:
    def of(project: str, net: str) -> InvoiceLine:
        return replace(line("o3", Decimal(net)), project=project, project_name=project.upper())

    def came(project: str, day: int, tokens: int) -> Surplus:
        start = OCTOBER.start + timedelta(days=day)
        return Surplus(project, "o3", Period(start, start + timedelta(days=1)), 1, tokens, 5)

    billed = [Billed("usage", "a", "A", "o3", Decimal(1)), Billed("usage", "c", "C", "o3", Decimal(4))]
    late = [came("a", 1, 10), came("b", 2, 200), came("b", 3, 3000)]
    of_a, of_b, of_c = owed(
        [of("a", "2"), of("b", "3")],
        billed,
        late,
        span=OCTOBER,
        organization_id=ORGANIZATION,
        language="en",
        time_zone="UTC",
    )
    assert of_a.description.startswith("o3 (A): 10 tokens in 1 requests")
    assert of_b.description.startswith("o3 (B): 3,200 tokens in 2 requests")
    assert [(each.net, each.project, each.project_name) for each in (of_a, of_b, of_c)] == [
        (Decimal(1), "a", "A"),
        (Decimal(3), "b", "B"),
        (Decimal(-4), "c", "C"),
    ]
    assert of_a.period == late[0].period
    assert (of_b.period.start, of_b.period.end) == (late[1].period.start, late[2].period.end)
