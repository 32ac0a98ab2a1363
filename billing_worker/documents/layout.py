"""An invoice as it is printed: which words and figures stand where, ready for the template. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from billing_worker.documents.appendix import UsageOfDay
from billing_worker.documents.characters import as_printed, as_written
from billing_worker.documents.parties import party
from billing_worker.documents.writing import Writing
from ledger.invoice import Invoice, InvoiceLine, VatShare
from ledger.invoice_totals import ZERO
from ledger.periods import days_of

Layout = dict[str, Any]
"""Texts, and lists and mappings of them, as templates/invoice.typ reads them."""

# Longer texts are cut, as rows are not broken over pages; the XML has them whole.
_LONGEST = 300


def layout(invoice: Invoice, appendix: Sequence[UsageOfDay] = ()) -> Layout:
    """Every text of the document, in its language."""
    writing = Writing(invoice.language)
    labels = writing.labels
    return {
        "lang": invoice.language,
        "title": _title(invoice, writing),
        "name": " ".join([labels.titles[invoice.kind], invoice.number or invoice.id]),
        "draft": labels.draft if invoice.number is None else None,
        "head": list(_head(invoice, writing)),
        "seller": party(invoice.seller, writing, home=None),
        "buyer": party(invoice.buyer, writing, home=invoice.seller.address.country)
        | {"heading": labels.buyer},
        "columns": [*labels.columns[:-1], f"{labels.columns[-1]} ({invoice.currency})"],
        "carried": labels.carried,
        "to_carry": labels.to_carry,
        "groups": list(_groups(invoice, writing)),
        "totals": list(_totals(invoice, writing)),
        "vat_columns": list(labels.vat_columns),
        "vat": [_vat(share, writing) for share in invoice.vat],
        "vat_in_euros": _vat_in_euros(invoice, writing),
        "payment": {"heading": labels.payment, "rows": list(_payment(invoice, writing))},
        "mentions": [as_printed(as_written(mention.text)) for mention in invoice.mentions],
        "foot": " · ".join(_foot(invoice)),
        "page": labels.page,
        "appendix": _appendix(appendix, writing) if appendix else None,
    }


def _title(invoice: Invoice, writing: Writing) -> str:
    title = writing.labels.titles[invoice.kind]
    return title if invoice.number is not None else f"{title} – {writing.labels.draft}"


def _head(invoice: Invoice, writing: Writing) -> Iterator[tuple[str, str]]:
    labels = writing.labels
    if invoice.number is not None:
        yield labels.number, invoice.number
    if invoice.issued_on is not None:
        yield labels.issued, writing.day(invoice.issued_on)
    if invoice.due_on is not None:
        yield labels.due, writing.day(invoice.due_on)
    yield labels.period, writing.span(*days_of(invoice.period, invoice.time_zone))
    if invoice.preceding is not None:
        day = writing.day(invoice.preceding.issued_on)
        yield labels.corrects, labels.dated.format(number=invoice.preceding.number, day=day)
    if invoice.buyer_reference:
        yield labels.reference, _shown(invoice.buyer_reference)


def _groups(invoice: Invoice, writing: Writing) -> Iterator[Layout]:
    """Lines by organization where there are several, then by project, each in the order in which it first comes."""
    organizations = _first_seen(line.organization_id for line in invoice.lines)
    projects = _first_seen(line.project for line in invoice.lines)
    ordered = sorted(
        invoice.lines, key=lambda line: (organizations[line.organization_id], projects[line.project])
    )
    running = ZERO
    for organization, lines in groupby(ordered, key=lambda line: line.organization_id):
        several, of_organization = len(organizations) > 1, list(lines)
        name = _shown(of_organization[0].organization_name or organization)
        rows: list[Layout] = []
        for project, of_project in groupby(of_organization, key=lambda line: line.project):
            of_its_own = list(of_project)
            if len({line.project for line in of_organization}) > 1:
                called = of_its_own[0].project_name or project or writing.labels.general
                rows.append({"heading": _shown(called)})
            for line in of_its_own:
                running += line.net
                rows.append(_row(line, invoice, writing) | {"running": writing.amount(running)})
        subtotal = sum((line.net for line in of_organization), ZERO)
        yield {
            "heading": name if several else None,
            "rows": rows,
            "subtotal": [writing.labels.subtotal.format(name=name), writing.amount(subtotal)]
            if several
            else None,
        }


def _first_seen(names: Iterable[str | None]) -> dict[str | None, int]:
    return {name: position for position, name in enumerate(dict.fromkeys(names))}


def _row(line: InvoiceLine, invoice: Invoice, writing: Writing) -> Layout:
    details = []
    if line.model and line.model not in line.description:
        details.append(_shown(line.model))
    days = days_of(line.period, invoice.time_zone)
    if days != days_of(invoice.period, invoice.time_zone):
        details.append(writing.span(*days))
    price = writing.price(line.unit_price)
    if line.base_quantity != 1:
        price = f"{price} / {writing.quantity(line.base_quantity)}"
    unit = writing.labels.units.get(line.unit, line.unit)
    return {
        "description": _shown(line.description),
        "details": " · ".join(details),
        "quantity": f"{writing.quantity(line.quantity)} {unit}".rstrip(),
        "price": price,
        "vat": _rate(line.vat_category, line.vat_rate, writing),
        "amount": writing.amount(line.net),
    }


def _rate(category: str, rate: Decimal, writing: Writing) -> str:
    return "–" if category == "O" else writing.rate(rate)


def _vat(share: VatShare, writing: Writing) -> Layout:
    return {
        "rate": _rate(share.category, share.rate, writing),
        "base": writing.amount(share.base),
        "amount": writing.amount(share.amount),
        "exemption": as_printed(share.exemption or ""),
    }


def _vat_in_euros(invoice: Invoice, writing: Writing) -> str | None:
    stated = invoice.vat_in_euros
    if stated is None:
        return None
    return writing.labels.vat_in_euros.format(
        amount=writing.money(stated.amount, "EUR"),
        rate=writing.exchange_rate(stated.per_euro),
        currency=invoice.currency,
        source=_shown(stated.source),
        day=writing.day(stated.day),
    )


def _totals(invoice: Invoice, writing: Writing) -> Iterator[Layout]:
    labels = writing.labels
    rows = [(labels.net, invoice.net, False)]
    rows += [
        (labels.vat.format(rate=writing.rate(share.rate)), share.amount, False)
        for share in invoice.vat
        if share.category == "S"
    ]
    if sum(share.category == "S" for share in invoice.vat) != 1:
        rows.append((labels.vat_total, invoice.vat_total, False))
    credit = invoice.kind == "credit_note"
    rows.append((labels.credited if credit else labels.gross, invoice.gross, True))
    if invoice.paid:
        rows += [(labels.paid, invoice.paid, False), (labels.to_pay, invoice.due, True)]
    for label, amount, strong in rows:
        yield {"label": label, "amount": writing.money(amount, invoice.currency), "strong": strong}


def _payment(invoice: Invoice, writing: Writing) -> Iterator[tuple[str, str]]:
    labels = writing.labels
    # A draft asks for nothing yet.
    if invoice.kind == "credit_note" or invoice.due <= 0 or invoice.number is None:
        return
    yield labels.to_pay, writing.money(invoice.due, invoice.currency)
    if invoice.due_on is not None:
        yield labels.due, writing.day(invoice.due_on)
    if invoice.bank_iban is not None:
        plain = invoice.bank_iban.replace(" ", "")
        yield "IBAN", " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))
        if invoice.bank_bic is not None:
            yield "BIC", invoice.bank_bic
    yield labels.payment_reference, invoice.number
    if invoice.payment_terms:
        yield "", _shown(invoice.payment_terms)


def _foot(invoice: Invoice) -> Iterator[str]:
    yield _shown(invoice.seller.name)
    if invoice.seller.legal_mention:
        yield _shown(invoice.seller.legal_mention)


def _appendix(days: Sequence[UsageOfDay], writing: Writing) -> Layout:
    return {
        "title": writing.labels.appendix,
        "columns": list(writing.labels.appendix_columns),
        "rows": [
            [
                writing.short_day(used.day),
                _shown(used.project or "–"),
                _shown(used.model),
                writing.quantity(used.requests),
                writing.quantity(used.tokens),
                writing.small_amount(used.amount),
            ]
            for used in days
        ],
    }


def _shown(text: str) -> str:
    printed = as_printed(as_written(text))
    return printed if len(printed) <= _LONGEST else f"{printed[: _LONGEST - 1]}…"
