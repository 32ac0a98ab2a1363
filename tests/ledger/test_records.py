from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.records import decimal_text, nano_text, plain_text, rfc3339


@given(st.integers(-(10**27), 10**27))
def test_nano_units_become_a_decimal_of_the_same_value(nano: int) -> None:
    text = nano_text(nano)
    whole, _, places = text.removeprefix("-").partition(".")
    assert len(places) >= 2
    assert int(whole + places.ljust(9, "0")) == abs(nano)
    assert text.startswith("-") == (nano < 0)


def test_amounts_have_two_places_or_as_many_as_they_need() -> None:
    written = {"3": "3.00", "3.1": "3.10", "1E+3": "1000.00", "4.5E-8": "0.000000045", "-0": "0.00"}
    assert {amount: decimal_text(Decimal(amount)) for amount in written} == written


def test_times_are_written_in_utc() -> None:
    paris = timezone(timedelta(hours=1))
    assert rfc3339(datetime(2026, 11, 1, 0, 30, tzinfo=paris)) == "2026-10-31T23:30:00Z"


def test_control_characters_are_refused() -> None:
    assert plain_text("Café 日本 👍") == "Café 日本 👍"
    for text in ("a\0", "a\nb", "\x7f", "\x85"):
        with pytest.raises(ValueError, match="control"):
            plain_text(text)
