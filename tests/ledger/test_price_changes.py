from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.price_changes import price_changes
from ledger.prices import Price, PriceList

AT = datetime(2026, 11, 20, tzinfo=UTC)
BEFORE, AFTER = AT - timedelta(days=30), AT + timedelta(days=30)


def price(model: str, rate: str, start: datetime = BEFORE, end: datetime | None = None) -> Price:
    return Price("openai", model, start, end, {"input": Decimal(rate)}, "a list", date(2026, 11, 1))


def told(prices: Sequence[Price]) -> list[tuple[str, str, datetime]]:
    return [(each.model, str(each.rates["input"]), each.valid_from) for each in prices]


def test_a_price_that_is_other_now_holds_from_now_and_the_one_before_ends() -> None:
    old = price("gpt", "1")
    changes = price_changes([price("gpt", "2")], [old], AT)
    assert told(changes.new) == [("gpt", "2", AT)]
    assert changes.ended == [old]


def test_the_same_rates_written_otherwise_change_nothing() -> None:
    assert price_changes([price("gpt", "1.50", AT - timedelta(1))], [price("gpt", "1.5")], AT) == ([], [], [])


def test_a_model_that_is_new_has_a_price_from_now_and_what_is_not_listed_keeps_its_own() -> None:
    changes = price_changes([price("new", "2")], [price("gpt", "1")], AT)
    assert told(changes.new) == [("new", "2", AT)]
    assert changes.ended == []


def test_what_is_announced_holds_from_its_own_day_and_is_kept_once_it_is_known() -> None:
    listed = [price("gpt", "1"), price("gpt", "3", AFTER)]
    changes = price_changes(listed, [price("gpt", "1")], AT)
    assert told(changes.new) == [("gpt", "3", AFTER)]
    assert changes.ended == []
    held = [price("gpt", "1"), price("gpt", "4", AFTER)]
    assert told(price_changes(listed, held, AT).kept) == [("gpt", "3", AFTER)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from(["1", "2"]), st.integers(-3, 3), st.sampled_from("ab")
        ),
        max_size=8,
    )
)
def test_a_list_taken_over_twice_changes_nothing_the_second_time(
    rows: list[tuple[str, str, int, str]],
) -> None:
    held: dict[tuple[str, datetime], Price] = {}
    listed: dict[tuple[str, datetime], Price] = {}
    for model, rate, days, whose in rows:
        start = AT + timedelta(days=days, hours=1)
        (held if whose == "a" else listed)[model, start] = price(model, rate, start)
    changes = price_changes(listed.values(), held.values(), AT)
    ended = [each.ref for each in changes.ended]
    after = [each for each in held.values() if each.ref not in ended]
    after += [
        price(each.model, str(each.rates["input"]), each.valid_from, AT) for each in changes.ended
    ] + changes.new
    again = price_changes(listed.values(), after, AT)
    assert (again.new, again.ended) == ([], [])
    book = PriceList(after)
    for model in {model for model, _ in listed}:
        said = PriceList(listed.values()).price_for(model, AT)
        if said is not None:
            found = book.price_for(model, AT)
            assert found is not None
            assert found.rates == said.rates
