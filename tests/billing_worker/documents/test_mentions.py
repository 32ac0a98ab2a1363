from decimal import Decimal

import pytest

from billing_worker.documents.mentions import mentions
from ledger.invoice import Language


@pytest.mark.parametrize("language", ["fr", "en"])
def test_penalties_recovery_and_discount_are_said_once_each(language: Language) -> None:
    subjects = [mention.subject for mention in mentions(language, vat_on_debits=True)]
    assert sorted(subject for subject in subjects if subject != "AAI") == ["AAB", "PMD", "PMT"]


def test_the_indemnity_is_forty_euros() -> None:
    (recovery,) = [mention.text for mention in mentions("fr") if mention.subject == "PMT"]
    assert "40 €" in recovery


def test_a_rate_of_penalties_is_written_as_the_language_writes_it() -> None:
    assert "12,75 %" in mentions("fr", late_penalty_percent=Decimal("12.75"))[0].text
    assert "12.75 %" in mentions("en", late_penalty_percent=Decimal("12.75"))[0].text
    assert "BCE majoré de 10 points" in mentions("fr")[0].text


def test_vat_on_debits_is_said_where_it_was_opted_for() -> None:
    assert any("d'après les débits" in mention.text for mention in mentions("fr", vat_on_debits=True))
    assert not any("débits" in mention.text for mention in mentions("fr"))


def test_a_discount_replaces_that_there_is_none() -> None:
    texts = [mention.text for mention in mentions("en", discount="1 % within 8 days.")]
    assert "1 % within 8 days." in texts
    assert not any("No discount" in text for text in texts)
