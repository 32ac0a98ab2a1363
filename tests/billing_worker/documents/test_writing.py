from datetime import date
from decimal import Decimal

import pytest

from billing_worker.documents.writing import Writing
from ledger.invoice import Language

BLANK = "\u00a0"


@pytest.mark.parametrize(
    ("language", "amount", "written"),
    [
        ("fr", "1234567.5", f"1{BLANK}234{BLANK}567,50{BLANK}EUR"),
        ("fr", "-0.01", f"-0,01{BLANK}EUR"),
        ("en", "1234567.5", f"EUR{BLANK}1,234,567.50"),
        ("en", "-0.01", f"EUR{BLANK}-0.01"),
    ],
)
def test_an_amount_is_written_as_the_language_has_it(language: Language, amount: str, written: str) -> None:
    assert Writing(language).money(Decimal(amount), "EUR").replace(" ", BLANK) == written


def test_a_price_keeps_all_of_its_places() -> None:
    writing = Writing("fr")
    assert [writing.price(Decimal(price)) for price in ("1.25", "0.000015", "10")] == [
        "1,25",
        "0,000015",
        "10,00",
    ]
    assert writing.quantity(Decimal("0.0001")) == "0,0001"
    assert writing.rate(Decimal("5.50")) == f"5,5{BLANK}%"


@pytest.mark.parametrize(
    ("first", "last", "french", "english"),
    [
        (date(2026, 3, 1), date(2026, 3, 31), "du 1er au 31 mars 2026", "1 to 31 March 2026"),
        (date(2026, 3, 15), date(2026, 4, 1), "du 15 mars au 1er avril 2026", "15 March to 1 April 2026"),
        (
            date(2025, 12, 11),
            date(2026, 1, 10),
            "du 11 décembre 2025 au 10 janvier 2026",
            "11 December 2025 to 10 January 2026",
        ),
        (date(2026, 3, 9), date(2026, 3, 9), "du 9 mars 2026 au 9 mars 2026", "9 March 2026 to 9 March 2026"),
    ],
)
def test_what_two_days_share_is_said_once(first: date, last: date, french: str, english: str) -> None:
    assert (Writing("fr").span(first, last), Writing("en").span(first, last)) == (french, english)
