"""The words of a printed invoice, in French and English."""

from dataclasses import dataclass

from ledger.invoice import InvoiceKind, Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Of one language. `locale` is how it writes numbers and days; `money` the pattern of an amount in words."""

    locale: str
    money: str
    titles: dict[InvoiceKind, str]
    draft: str
    number: str
    issued: str
    due: str
    period: str
    span: str
    reference: str
    corrects: str
    dated: str
    buyer: str
    vat_number: str
    columns: tuple[str, str, str, str, str]
    carried: str
    to_carry: str
    subtotal: str
    general: str
    vat_columns: tuple[str, str, str]
    vat: str
    vat_total: str
    net: str
    gross: str
    paid: str
    to_pay: str
    credited: str
    vat_in_euros: str
    payment: str
    payment_reference: str
    page: str
    appendix: str
    appendix_columns: tuple[str, str, str, str, str, str]
    units: dict[str, str]


LABELS: dict[Language, Labels] = {
    "fr": Labels(
        locale="fr",
        money="#,##0.00 ¤¤",
        titles={"invoice": "Facture", "credit_note": "Avoir"},
        draft="BROUILLON",
        number="Numéro",
        issued="Date d'émission",
        due="Date d'échéance",
        period="Période",
        span="du {first} au {last}",
        reference="Votre référence",
        corrects="Corrige la facture",
        dated="{number} du {day}",
        buyer="Facturé à",
        vat_number="N° TVA",
        columns=("Désignation", "Quantité", "Prix unitaire HT", "TVA", "Montant HT"),
        carried="Report",
        to_carry="À reporter",
        subtotal="Sous-total {name}",
        general="Général",
        vat_columns=("TVA", "Base HT", "Montant de TVA"),
        vat="TVA {rate}",
        vat_total="Total TVA",
        net="Total HT",
        gross="Total TTC",
        paid="Déjà payé",
        to_pay="Net à payer",
        credited="Total à votre crédit",
        vat_in_euros="TVA en euros : {amount} (1 EUR = {rate} {currency}, {source}, {day})",
        payment="Paiement",
        payment_reference="Référence",
        page="Page {page} / {pages}",
        appendix="Annexe : consommation par jour et par modèle",
        appendix_columns=("Jour", "Projet", "Modèle", "Requêtes", "Jetons", "Au tarif HT"),
        units={
            "C62": "",
            "MON": "mois",
            "ANN": "an",
            "DAY": "j",
            "HUR": "h",
            "MIN": "min",
            "SEC": "s",
            "E34": "Go",
        },
    ),
    "en": Labels(
        locale="en_GB",
        money="¤¤ #,##0.00;¤¤ -#,##0.00",
        titles={"invoice": "Invoice", "credit_note": "Credit note"},
        draft="DRAFT",
        number="Number",
        issued="Issue date",
        due="Due date",
        period="Period",
        span="{first} to {last}",
        reference="Your reference",
        corrects="Corrects invoice",
        dated="{number} of {day}",
        buyer="Bill to",
        vat_number="VAT number",
        columns=("Description", "Quantity", "Unit price", "VAT", "Net amount"),
        carried="Brought forward",
        to_carry="Carried forward",
        subtotal="Subtotal {name}",
        general="General",
        vat_columns=("VAT", "Net amount", "VAT amount"),
        vat="VAT {rate}",
        vat_total="Total VAT",
        net="Total net",
        gross="Total gross",
        paid="Already paid",
        to_pay="Amount due",
        credited="Total credited to you",
        vat_in_euros="VAT in euros: {amount} (EUR 1 = {currency} {rate}, {source}, {day})",
        payment="Payment",
        payment_reference="Reference",
        page="Page {page} / {pages}",
        appendix="Appendix: usage by day and model",
        appendix_columns=("Day", "Project", "Model", "Requests", "Tokens", "At list price"),
        units={
            "C62": "",
            "MON": "mo",
            "ANN": "yr",
            "DAY": "d",
            "HUR": "h",
            "MIN": "min",
            "SEC": "s",
            "E34": "GB",
        },
    ),
}
