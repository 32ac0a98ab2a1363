from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import billing_worker.notices
from billing_worker.notices.message import compose
from billing_worker.notices.words import Words, words, write
from config.mail_address import mail_address
from ledger.invoice import Language
from ledger.notice_kinds import KINDS
from ledger.notifications import Attachment
from tests.billing_worker.notices.examples import AT, EXAMPLES

LANGUAGES: tuple[Language, ...] = ("fr", "en")


def said(kind: str, language: Language, facts: dict[str, Any] | None = None, who: str = "Atelier") -> Words:
    facts = EXAMPLES[kind] if facts is None else facts
    return words(kind, facts, language=language, time_zone="Europe/Paris", organization=who)


def test_there_is_an_example_of_every_kind() -> None:
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_in_both_languages(kind: str, language: Language) -> None:
    written = write(kind, EXAMPLES[kind], language=language, time_zone="UTC", organization="Atelier")
    assert 10 < len(written.subject) < 120
    for form in (written.text, written.html):
        assert "{{" not in form
        assert "{%" not in form
    assert f'<html lang="{language}">' in written.html


def test_no_template_is_of_no_kind() -> None:
    for language in LANGUAGES:
        folder = files(billing_worker.notices) / "templates" / language
        assert {each.name for each in folder.iterdir()} == {f"{kind}.txt" for kind in (*KINDS, "footer")}


@pytest.mark.parametrize("kind", KINDS)
def test_html_loads_nothing_from_elsewhere(kind: str) -> None:
    html = write(kind, EXAMPLES[kind], language="fr", time_zone="UTC", organization="Atelier").html
    for sign in ("http", "src=", "url(", "<script", "<link", "@import", "<img"):
        assert sign not in html


def test_amounts_and_times_are_written_as_the_language_has_them() -> None:
    french = dict(said("quota_reached", "fr").blocks[1].facts)
    assert french["Utilisé"] == "800\u202f000"
    assert french["Remise à zéro"] == "1 décembre 2026 00:00 (Europe/Paris)"
    assert dict(said("invoice_issued", "fr").blocks[1].facts)["Montant TTC"] == "1\u202f234,50\xa0€"
    assert dict(said("invoice_issued", "en").blocks[1].facts)["Amount, VAT included"] == "€1,234.50"


def test_a_fact_that_is_not_known_makes_no_row() -> None:
    without = {**EXAMPLES["invoice_issued"], "due_on": None}
    assert "Due on" in dict(said("invoice_issued", "en").blocks[1].facts)
    assert "Due on" not in dict(said("invoice_issued", "en", without).blocks[1].facts)


def test_values_that_do_not_fit_a_kind_are_refused() -> None:
    with pytest.raises(ValidationError, match="percentage"):
        said("quota_reached", "en", {**EXAMPLES["quota_reached"], "percentage": 80})
    with pytest.raises(KeyError):
        said("greeting", "en", {})


@given(st.text(max_size=80))
def test_no_value_makes_a_header_a_paragraph_or_a_tag(name: str) -> None:
    plain = said("quota_reached", "en")
    strange = said("quota_reached", "en", who=name)
    assert len(strange.blocks) == len(plain.blocks)
    assert [label for label, _ in strange.blocks[1].facts] == [label for label, _ in plain.blocks[1].facts]
    facts = {**EXAMPLES["admin_alert"], "object": name, "message": f"it said: {name}"}
    written = write("admin_alert", facts, language="en", time_zone="UTC", organization=None)
    message = _read(written_as(facts))
    assert set(message.keys()) == HEADERS
    assert "\n" not in written.subject
    assert "<script" not in written.html


HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Content-Language",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
}


def written_as(facts: dict[str, Any], *attachments: Attachment) -> bytes:
    return compose(
        write("admin_alert", facts, language="en", time_zone="UTC", organization=None),
        attachments,
        sender=mail_address("Tollkeeper <tollkeeper@mail.test>"),
        recipient=mail_address("ops@example.com"),
        message_id="mail_1.0@mail.test",
        language="en",
        at=AT,
    )


def _read(data: bytes) -> EmailMessage:
    return message_from_bytes(data, _class=EmailMessage, policy=default)


def test_a_mail_has_text_html_and_its_attachments() -> None:
    pdf = Attachment("facture-été.pdf", "application/pdf", b"%PDF-1.7 \x00\xff")
    message = _read(written_as(EXAMPLES["admin_alert"], pdf))
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "closing failed" in text.get_content()
    assert "closing failed" in html.get_content()
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("facture-été.pdf", pdf.content)
    assert message["Subject"] == "[critical] job_failed: closing"
