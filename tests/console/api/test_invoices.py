import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.billing_worker.documents.pages import texts
from tests.console.running import Console, Fields, Record, refused

INVOICES = "/api/billing/invoices"
SELLER = {
    "name": "Péage SAS",
    "address": {"lines": ["1 rue des Écluses"], "postal_code": "75010", "city": "Paris", "country": "FR"},
    "siren": "732 829 320",
    "vat_number": "FR44732829320",
    "iban": "FR76 3000 6000 0112 3456 7890 189",
    "bic": "AGRIFRPP",
}
NOW = datetime.now(UTC)
NEVER = "inv_000000000000000000000000"


@pytest.fixture
async def seller(console: Console) -> Fields:
    answer = await console.admin.patch("/api/admin/seller", json=SELLER)
    assert answer.status_code == 200, answer.text
    made: Fields = answer.json()
    return made


@pytest.fixture
async def customer(console: Console, seller: Fields, record: Record) -> Fields:
    """10.00 EUR a month, and 2.35 used now."""
    made = await console.make("organizations", name="Atelier", email="atelier@example.org")
    plan = await console.make("plans", name="Team", monthly_price="10.00")
    await console.subscribe(made, plan, start=f"{NOW - timedelta(seconds=5):%Y-%m-01T00:00:00Z}")
    await record(
        "req_1", made["id"], occurred_at=NOW, price_nano=2_350_000_000, price_nano_tokens=2_350_000_000
    )
    return made


async def post(console: Console, path: str, **body: Any) -> httpx.Response:
    return await console.admin.post(f"{INVOICES}{path}", json=body)


async def drafted(console: Console, customer: Fields) -> Fields:
    answer = await post(console, "", organization_id=customer["id"])
    assert answer.status_code == 201, answer.text
    made: Fields = answer.json()
    return made


async def issued(console: Console, customer: Fields) -> Fields:
    draft = await drafted(console, customer)
    answer = await post(console, f"/{draft['id']}/finalize")
    assert answer.status_code == 200, answer.text
    made: Fields = answer.json()
    return made


async def test_a_draft_says_what_the_present_period_comes_to(console: Console, customer: Fields) -> None:
    draft = await drafted(console, customer)
    assert (draft["status"], draft["number"], draft["pdf_path"]) == ("draft", None, None)
    assert (draft["net"], draft["vat_total"], draft["gross"], draft["currency"]) == (
        "12.35",
        "2.47",
        "14.82",
        "EUR",
    )
    assert draft["total_requests"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-01T00:00:00Z", draft["period_start"])
    assert sum(float(item["total_price"]) for item in draft["items"]) == 12.35
    assert (await drafted(console, customer))["id"] == draft["id"]


async def test_an_issued_invoice_is_numbered_frozen_and_lawful(console: Console, customer: Fields) -> None:
    made = await issued(console, customer)
    assert (made["status"], made["number"]) == ("sent", f"FA{NOW:%Y}-000001")
    assert (made["gross"], made["due"], made["total_amount_eur"]) == ("14.82", "14.82", "14.82")
    pdf = await console.admin.get(made["pdf_path"])
    assert (pdf.status_code, pdf.headers["content-type"]) == (200, "application/pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert f'filename="{made["number"]}.pdf"' in pdf.headers["content-disposition"]
    xml = await console.admin.get(made["xml_path"])
    assert xml.headers["content-type"] == "application/xml"
    assert b">14.82<" in xml.content
    assert made["number"].encode() in xml.content
    assert (await console.admin.get(made["pdf_path"])).content == pdf.content
    refused(await post(console, f"/{made['id']}/finalize"), 409, says="issued already")
    refused(await post(console, "", organization_id=customer["id"]), 409, says="invoiced already")


async def test_a_draft_is_shown_as_one_and_has_no_xml(console: Console, customer: Fields) -> None:
    draft = await drafted(console, customer)
    pdf = await console.admin.get(f"{INVOICES}/{draft['id']}.pdf")
    assert pdf.content.startswith(b"%PDF-")
    refused(await console.admin.get(f"{INVOICES}/{draft['id']}.xml"), 409)


async def test_customers_read_their_own_invoices_and_nothing_else(console: Console, customer: Fields) -> None:
    draft = await drafted(console, customer)
    key = await console.key(customer)
    stranger = await console.make("organizations", name="Stranger")
    other = await console.key(stranger)
    assert (await console.mine(key, "invoices")).json()["data"] == []
    refused(await console.mine(key, f"invoices/{draft['id']}"), 404)
    made = (await post(console, f"/{draft['id']}/finalize")).json()
    [listed] = (await console.mine(key, "invoices")).json()["data"]
    assert listed["number"] == made["number"]
    assert (await console.mine(key, f"invoices/{made['id']}")).json() == made
    for ending in (".pdf", ".xml"):
        own = await console.mine(key, f"invoices/{made['id']}{ending}")
        assert own.content == (await console.admin.get(f"{INVOICES}/{made['id']}{ending}")).content
        refused(await console.mine(other, f"invoices/{made['id']}{ending}"), 404)
    refused(await console.mine(other, f"invoices/{made['id']}"), 404)
    assert (await console.mine(other, "invoices")).json()["data"] == []
    refused(await console.nobody.get(f"{INVOICES}/{made['id']}"), 401)


async def test_an_appendix_tells_what_was_used_day_by_day(console: Console, customer: Fields) -> None:
    draft = await drafted(console, customer)
    refused(await console.admin.get(f"{INVOICES}/{draft['id']}.pdf?appendix=true"), 409)
    made = (await post(console, f"/{draft['id']}/finalize")).json()
    paid = {"amount": "1.00", "date": f"{NOW:%Y-%m-%d}", "reference": "transfer"}
    assert (await post(console, f"/{made['id']}/payments", **paid)).status_code == 201
    answer = await console.admin.get(f"{INVOICES}/{made['id']}.pdf?appendix=true")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    sent, appendix = texts(answer.content)
    assert (
        texts((await console.admin.get(made["pdf_path"])).content)[0].splitlines()[:-1]
        == sent.splitlines()[:-1]
    )
    assert f"{NOW:%d/%m/%Y}" in appendix
    assert "2,3500" in appendix
    key = await console.key(customer)
    assert (await console.mine(key, f"invoices/{made['id']}.pdf?appendix=true")).content == answer.content
    stranger = await console.key(await console.make("organizations", name="Stranger"))
    refused(await console.mine(stranger, f"invoices/{made['id']}.pdf?appendix=true"), 404)


async def test_payments_credits_and_cancelling(console: Console, customer: Fields) -> None:
    made = await issued(console, customer)
    at = f"/{made['id']}"
    payment = {"amount": "4.82", "date": "2026-11-21", "reference": "transfer 1"}
    for _ in range(2):
        paid = (await post(console, f"{at}/payments", **payment)).json()
        assert (paid["paid"], paid["due"], len(paid["payments"])) == ("4.82", "10.00", 1)
    told = (await console.admin.get("/api/admin/notifications?kind=payment_confirmed")).json()["data"]
    assert [each["subject"] for each in told] == [f"Paiement reçu : {made['number']}"]
    refused(await post(console, f"{at}/payments", **payment | {"amount": "1.00"}), 409, "reference")
    refused(
        await post(console, f"{at}/payments", **payment | {"reference": "2", "amount": "11"}), 400, "amount"
    )
    note = (await post(console, f"{at}/credit", amount="2.00", reason="goodwill")).json()
    assert (note["kind"], note["number"], note["gross"]) == ("credit_note", f"AV{NOW:%Y}-000001", "2.40")
    assert (await console.admin.get(note["pdf_path"])).content.startswith(b"%PDF-")
    refused(await post(console, f"{at}/credit", amount="11.00", reason="more"), 409)
    refused(await post(console, f"{at}/credit", reason="neither"), 400, "amount")
    cancelled = (await post(console, f"{at}/cancel", reason="wrong")).json()
    assert (cancelled["status"], cancelled["credited"], cancelled["due"]) == ("cancelled", "14.82", "-4.82")
    assert [each["number"] for each in cancelled["credit_notes"]] == [f"AV{NOW:%Y}-{n:06d}" for n in (1, 2)]
    refused(await post(console, f"{at}/cancel"), 409)
    assert len(await console.all_pages(INVOICES, 1)) == 3
    [listed] = (await console.admin.get(f"{INVOICES}?status=cancelled&organization={customer['id']}")).json()[
        "data"
    ]
    assert listed["id"] == made["id"]


async def test_what_can_not_be_is_refused_by_name(console: Console, customer: Fields) -> None:
    refused(await post(console, "", organization_id="org_none"), 404)
    refused(await post(console, ""), 400, "organization_id")
    refused(await post(console, "", organization_id=customer["id"], period="x"), 400, "period")
    times = {"period_start": "2026-10-02T00:00:00Z", "period_end": "2026-10-01T00:00:00Z"}
    refused(await post(console, "", organization_id=customer["id"], **times), 400, "period_end")
    refused(
        await post(console, "", organization_id=customer["id"], period_end="2026-10-01T00:00:00Z"),
        400,
        "period_end",
    )
    refused(await post(console, f"/{NEVER}/finalize"), 404)
    refused(await console.admin.get(f"{INVOICES}/{NEVER}.pdf"), 404)
    unsubscribed = await console.make("organizations", name="None")
    refused(await post(console, "", organization_id=unsubscribed["id"]), 409, "organization_id")


async def test_a_period_may_be_named(console: Console, customer: Fields) -> None:
    times = {"period_start": f"{NOW:%Y-%m-01}T00:00:00Z", "period_end": f"{NOW:%Y-%m-%d}T00:00:00Z"}
    if times["period_start"] == times["period_end"]:
        times["period_end"] = f"{NOW:%Y-%m-%d}T00:00:01Z"
    answer = await post(console, "", organization_id=customer["id"], **times)
    assert answer.status_code == 201, answer.text
    assert answer.json()["total_requests"] == 0


async def test_numbers_of_businesses_are_checked(console: Console, customer: Fields) -> None:
    path = f"/api/admin/organizations/{customer['id']}/billing"
    refused(await console.admin.patch(path, json={"siren": "732829321"}), 400, "siren", says="SIREN")
    refused(await console.admin.patch(path, json={"vat_number": "DE123456789"}), 400, "vat_number")
    refused(await console.admin.patch(path, json={"address": {"country": "ZZ"}}), 400, "address.country")
    refused(await console.admin.patch(path, json={"iban": "x"}), 400, "iban")
    refused(await console.admin.patch(path, json={"vat_confirmed": True}), 400, "vat_confirmed")
    refused(await console.admin.patch(path, json={"vat_exempt_code": "VATEX-EU-O"}), 400, "vat_exempt_code")
    refused(
        await console.admin.patch("/api/admin/seller", json={"iban": "FR7630006000011234567890188"}),
        400,
        "iban",
    )
    before = (await console.admin.get(path)).json()
    assert (before["missing"], before["updated_at"]) == (["address", "siren"], None)
    address = {"lines": ["1 Main St"], "postal_code": "10001", "city": "New York", "country": "US"}
    after = (await console.admin.patch(path, json={"address": address, "legal_name": "Atelier Inc."})).json()
    assert (after["missing"], after["legal_name"]) == ([], "Atelier Inc.")
    draft = await drafted(console, customer)
    assert (draft["vat_total"], draft["buyer"], draft["language"]) == ("0.00", "Atelier Inc.", "en")
    key = await console.key(customer)
    assert (await console.mine(key, "billing")).json() == after


async def test_a_document_that_breaks_a_rule_is_refused_alarmed_and_takes_no_number(
    console: Console, customer: Fields
) -> None:
    """A French seller must name its SIREN."""
    await console.admin.patch("/api/admin/seller", json={"siren": None})
    draft = await drafted(console, customer)
    refused(await post(console, f"/{draft['id']}/finalize"), 409, says="BR-")
    [alert] = (await console.admin.get("/api/admin/alerts?kind=invoice_unlawful")).json()["data"]
    assert (alert["kind"], alert["object"], alert["ended_at"]) == ("invoice_unlawful", customer["id"], None)
    await console.admin.patch("/api/admin/seller", json={"siren": SELLER["siren"]})
    refused(await console.admin.patch("/api/admin/seller", json={"vat_number": None}), 400, "vat_franchise")
    assert (await issued(console, customer))["number"].endswith("-000001")
    assert (await console.admin.get("/api/admin/alerts?kind=invoice_unlawful")).json()["data"] == []


async def test_who_is_known_by_name_alone_can_be_billed(console: Console, customer: Fields) -> None:
    await console.admin.patch(
        f"/api/admin/organizations/{customer['id']}", json={"email": None, "siret": "73282932000074"}
    )
    assert (await issued(console, customer))["status"] == "sent"


async def test_a_payer_gets_the_invoices_of_those_it_pays_for(
    console: Console, customer: Fields, record: Record
) -> None:
    head = await console.make("organizations", name="Holding")
    path = f"/api/admin/organizations/{customer['id']}/billing"
    refused(await console.admin.patch(path, json={"payer_id": customer["id"]}), 400, "payer_id")
    refused(await console.admin.patch(path, json={"payer_id": "org_none"}), 400, "payer_id")
    assert (await console.admin.patch(path, json={"payer_id": head["id"]})).status_code == 200
    other = f"/api/admin/organizations/{head['id']}/billing"
    refused(await console.admin.patch(other, json={"payer_id": customer["id"]}), 400, "payer_id")
    made = await issued(console, customer)
    assert (made["organization_id"], made["net"]) == (head["id"], "12.35")
    assert {item["organization_id"] for item in made["items"]} == {customer["id"]}
    assert (await console.mine(await console.key(customer), "invoices")).json()["data"] == []
    [listed] = (await console.mine(await console.key(head), "invoices")).json()["data"]
    assert listed["id"] == made["id"]
