import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings

from billing_worker.documents.document import Document
from billing_worker.documents.finding import Finding
from billing_worker.documents.rendering import render
from billing_worker.documents.validator import Validator
from billing_worker.documents.vat_treatment import vat_treatment
from ledger.invoice import Invoice
from ledger.invoice_totals import Exemption
from tests.billing_worker.documents.invoices import (
    AMERICAN_BUYER,
    FRENCH_BUYER,
    GERMAN_BUYER,
    SELLER,
    credit_note,
    draft,
    fee_line,
    in_dollars,
    invoice,
    invoices,
    usage_line,
)

FRANCHISE = vat_treatment("FR", "FR", "fr", buyer_vat_number_confirmed=False, franchise=True)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def validator() -> AsyncIterator[Validator]:
    async with Validator() as running:
        yield running


def rules(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.source, finding.rule) for finding in findings}


@pytest.mark.parametrize(
    "issued",
    [
        pytest.param(invoice(), id="French"),
        pytest.param(invoice(language="en"), id="English"),
        pytest.param(invoice(buyer=GERMAN_BUYER), id="reverse charge"),
        pytest.param(invoice(buyer=AMERICAN_BUYER, language="en"), id="outside the Union"),
        pytest.param(in_dollars(invoice()), id="USD"),
        pytest.param(in_dollars(invoice(buyer=GERMAN_BUYER)), id="USD without VAT"),
        pytest.param(credit_note(invoice()), id="credit note"),
        pytest.param(credit_note(in_dollars(invoice(buyer=AMERICAN_BUYER))), id="credit note in USD"),
        pytest.param(invoice(treatment=FRANCHISE), id="franchise"),
        pytest.param(
            invoice(treatment=FRANCHISE, seller=replace(SELLER, vat_number=None)),
            id="franchise without a number",
        ),
        pytest.param(invoice(buyer=replace(FRENCH_BUYER, siren=None, siret=None)), id="buyer without SIREN"),
        pytest.param(
            invoice(buyer=replace(AMERICAN_BUYER, email=None)), id="buyer without an electronic address"
        ),
        pytest.param(invoice(vat_on_debits=True), id="VAT on debits"),
        pytest.param(invoice(paid=Decimal("334.99")), id="paid"),
        pytest.param(invoice(paid=Decimal("10.00")), id="paid in part"),
        pytest.param(invoice(bank_iban=None, bank_bic=None), id="no bank"),
        pytest.param(
            invoice([usage_line(), fee_line("sla_credit", "Avoir SLA", "-12.34")]), id="credit line"
        ),
        pytest.param(invoice([fee_line("subscription", "Formule", "0.00")]), id="nothing to pay"),
    ],
)
async def test_every_kind_of_invoice_is_valid_by_all_rules(validator: Validator, issued: Invoice) -> None:
    assert await validator.validate(render(issued)) == []


async def test_any_invoice_is_valid_by_all_rules(validator: Validator) -> None:
    loop = asyncio.get_running_loop()

    @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
    @given(invoices())
    def valid(issued: Invoice) -> None:
        document = render(issued)
        asked = asyncio.run_coroutine_threadsafe(validator.validate(document), loop)
        assert asked.result(60) == []
        assert render(issued) == document

    await asyncio.to_thread(valid)


async def test_a_vat_one_cent_off_is_found(validator: Validator) -> None:
    right = invoice()
    cent = Decimal("0.01")
    wrong = replace(
        right,
        vat=(replace(right.vat[0], amount=right.vat[0].amount + cent),),
        vat_total=right.vat_total + cent,
        gross=right.gross + cent,
    )
    assert ("sums", "SUM-SHARE") in rules(await validator.validate(render(wrong)))


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (invoice(currency="USD"), {("fr-ctc", "BR-FR-CO-12_BT-5"), ("fr-ctc", "BR-FR-DEC-01_BT-111")}),
        (invoice(mentions=()), {("fr-ctc", "BR-FR-05_BT-22_PMD")}),
        (invoice(number="F 2026/42é"), {("fr-ctc", "BR-FR-02_BT-1")}),
        (invoice(seller=replace(SELLER, siren=None, siret=None)), {("fr-ctc", "BR-FR-10_BT-30")}),
        (replace(credit_note(invoice()), preceding=None), {("fr-ctc", "BR-FR-CO-05_BT-3")}),
        (invoice(buyer=replace(GERMAN_BUYER, vat_number="136695976")), {("en16931", "BR-CO-09")}),
        (invoice([usage_line(unit="TOKENS")]), {("en16931", "FX-SCH-A-000612")}),
    ],
)
async def test_what_breaks_a_rule_is_found_by_its_name(
    validator: Validator, wrong: Invoice, found: set[tuple[str, str]]
) -> None:
    assert found & rules(await validator.validate(render(wrong)))


async def test_rules_of_france_are_not_those_of_others(validator: Validator) -> None:
    seller = replace(
        SELLER,
        siren=None,
        siret=None,
        vat_number="DE136695976",
        address=replace(GERMAN_BUYER.address, lines=("Torstraße 2",)),
    )
    nineteen = vat_treatment("DE", "DE", "en", buyer_vat_number_confirmed=True, rate=Decimal(19))
    domestic = invoice(buyer=GERMAN_BUYER, treatment=nineteen, language="en", seller=seller)
    assert await validator.validate(render(domestic)) == []


async def test_a_reason_that_no_list_has_is_found(validator: Validator) -> None:
    treatment = replace(FRANCHISE, exemption=Exemption("VATEX-FR-MOON", "Lune"))
    found = rules(await validator.validate(render(invoice(treatment=treatment))))
    assert ("en16931", "FX-SCH-A-000589") in found


async def test_a_draft_is_not_valid(validator: Validator) -> None:
    assert rules(await validator.validate(render(draft(invoice())))) == {("validator", "DRAFT")}


async def test_xml_that_does_not_fit_the_schema_is_found(validator: Validator) -> None:
    document = render(invoice())
    assert document.xml is not None
    odd = document.xml.replace(
        b"<ram:TypeCode>380</ram:TypeCode>", b"<ram:TypeCode>380</ram:TypeCode><ram:Odd/>"
    )
    assert {source for source, _ in rules(await validator.validate(replace(document, xml=odd)))} == {
        "xsd",
        "pdf",
    }


@pytest.mark.parametrize("xml", [b"<x/>", b"no XML"])
async def test_what_is_no_invoice_at_all_is_found(validator: Validator, xml: bytes) -> None:
    assert rules(await validator.validate(Document(pdf=b"", xml=xml))) == {("xsd", "XML")}


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("import os; os.abort()", "signal SIGABRT"),
        ("import time; time.sleep(60)", "did not answer in 0 s"),
        ("print('nonsense', flush=True)", "too long, or none"),
        ('print(\'{"error": "no schematrons"}\', flush=True)', "no schematrons"),
    ],
)
async def test_rules_that_cannot_be_asked_are_never_a_pass(tmp_path: Path, program: str, said: str) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(program)
    async with Validator(program=broken, seconds=0 if "sleep" in program else 30, grace=0.5) as validator:
        (finding,) = await validator.validate(render(invoice()))
    assert (finding.source, finding.rule) == ("validator", "RULES")
    assert said in finding.message


async def test_a_program_that_is_missing_is_never_a_pass(tmp_path: Path) -> None:
    async with Validator(program=tmp_path / "missing.py") as validator:
        assert rules(await validator.validate(render(invoice()))) == {("validator", "RULES")}


async def test_too_little_memory_is_never_a_pass() -> None:
    async with Validator(memory=64 << 20) as validator:
        assert rules(await validator.validate(render(invoice()))) == {("validator", "RULES")}


async def test_the_process_is_used_again_and_replaced_once_it_died() -> None:
    document = render(invoice())
    async with Validator() as validator:
        assert await validator.validate(document) == []
        first = validator.pid
        assert first is not None
        assert await validator.validate(document) == []
        assert validator.pid == first
        os.kill(first, signal.SIGKILL)
        # Whether its end is noticed before or by asking it: never a pass by mistake.
        assert rules(await validator.validate(document)) <= {("validator", "RULES")}
        assert await validator.validate(document) == []
        assert validator.pid != first
    assert validator.pid is None


async def test_a_question_that_was_given_up_leaves_no_answer_behind(validator: Validator) -> None:
    good, bad = render(invoice()), render(invoice(mentions=()))
    assert await validator.validate(good) == []
    given_up = asyncio.create_task(validator.validate(bad))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    assert await validator.validate(good) == []


async def test_several_documents_wait_for_their_turn(validator: Validator) -> None:
    good, bad = render(invoice()), render(invoice(mentions=()))
    found = await asyncio.gather(*(validator.validate(document) for document in (good, bad, good, bad)))
    assert [bool(findings) for findings in found] == [False, True, False, True]
