"""What stands on lines."""

import string
from decimal import Decimal

import pytest

from billing_worker.rating import wording
from billing_worker.rating.wording import worded
from ledger.invoice import Language
from ledger.periods import Period
from ledger.usage import Usage
from tests.billing_worker.rating.worked import paris

NOVEMBER = Period(paris(2026, 11, 1), paris(2026, 12, 1))
FACTS = {
    "plan": "Pro",
    "days": 15,
    "whole": 30,
    "model": "gpt-4o",
    "project": None,
    "used": Usage(),
    "over": 1,
    "block": 1,
    "count": 1,
    "rule": "*",
    "kind": "*",
    "amount": 1,
    "base": Decimal(1),
    "currency": "EUR",
    "minimum": Decimal(1),
    "tokens": 1,
    "measure": "uptime",
    "found": Decimal(1),
    "percent": Decimal(1),
    "reason": "goodwill",
}


@pytest.mark.parametrize(
    ("text", "language", "facts", "expected"),
    [
        ("monthly", "en", {}, "Pro, Nov 1, 2026 – Nov 30, 2026"),
        ("monthly_part", "fr", {}, "Pro, du 1 nov. 2026 au 30 nov. 2026 : 15 jours sur 30"),
        (
            "usage",
            "en",
            {
                "project": "Search",
                "used": Usage(1_234_567, 200, 0, 89, quantities={"web_search_call": 3, "images": 0}),
            },
            "gpt-4o (Search): 1,234,567 input tokens, 200 of them cached, 89 output tokens, 3 web search call",
        ),
        ("usage", "fr", {}, "gpt-4o : requêtes"),
        ("tiers", "fr", {"amount": Decimal(1_500_000)}, "Tarif par paliers, * : 1\u202f500\u202f000 jetons"),
        (
            "tiers",
            "en",
            {"is_money": True, "amount": Decimal("200.5")},
            "Tiered price, *: 200.50 EUR at cost",
        ),
        (
            "sla",
            "en",
            {"found": Decimal("99.898"), "percent": Decimal("12.3456"), "base": Decimal("1234.50")},
            "Service level not met (uptime 99.898 %): 12.3456 % of 1,234.50 EUR",
        ),
    ],
)
def test_numbers_and_days_are_written_as_the_language_has_them(
    text: str, language: Language, facts: dict[str, object], expected: str
) -> None:
    assert worded(text, {**FACTS, **facts}, NOVEMBER, language, "Europe/Paris") == expected


@pytest.mark.parametrize("text", sorted(wording._TEXTS))
def test_each_text_is_in_both_languages_with_the_same_facts(text: str) -> None:
    fields = {
        language: {name for _, name, _, _ in string.Formatter().parse(words) if name}
        for language, words in wording._TEXTS[text].items()
    }
    assert fields["fr"] == fields["en"]
    for language in ("fr", "en"):
        assert "{" not in worded(text, FACTS, NOVEMBER, language, "Europe/Paris")
