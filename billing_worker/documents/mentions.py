"""The sentences that French law wants on every invoice between businesses. Pure.

Code de commerce, articles L441-9, L441-10 and D441-5 (lateness, recovery, discount); Code général des impôts, annex
II, article 242 nonies A (category of the operation, VAT on debits). Why no VAT is due stands with the VAT itself.
"""

from decimal import Decimal

from babel.numbers import format_decimal

from ledger.invoice import Language, Mention

_PENALTIES: dict[Language, str] = {
    "fr": "Tout retard de paiement entraîne de plein droit des pénalités au taux annuel de {rate} %, exigibles le jour "
    "suivant la date d'échéance.",
    "en": "Late payment bears penalties at {rate} % a year by law, due from the day after the due date.",
}
_STATUTORY_PENALTIES: dict[Language, str] = {
    "fr": "Tout retard de paiement entraîne de plein droit des pénalités au taux de refinancement de la BCE majoré de "
    "10 points, exigibles le jour suivant la date d'échéance.",
    "en": "Late payment bears penalties at the ECB's refinancing rate plus 10 percentage points by law, due from the "
    "day after the due date.",
}
_RECOVERY: dict[Language, str] = {
    "fr": "Indemnité forfaitaire pour frais de recouvrement en cas de retard de paiement : 40 €.",
    "en": "Fixed compensation for the costs of recovery in case of late payment: EUR 40.",
}
_NO_DISCOUNT: dict[Language, str] = {
    "fr": "Pas d'escompte pour paiement anticipé.",
    "en": "No discount for early payment.",
}
_SERVICES: dict[Language, str] = {
    "fr": "Catégorie d'opération : prestation de services.",
    "en": "Category of operation: supply of services.",
}
_ON_DEBITS: dict[Language, str] = {
    "fr": "Option pour le paiement de la taxe d'après les débits.",
    "en": "Seller has opted for VAT on debits: tax is due when invoiced.",
}


def mentions(
    language: Language,
    *,
    late_penalty_percent: Decimal | None = None,
    vat_on_debits: bool = False,
    discount: str | None = None,
) -> tuple[Mention, ...]:
    """Everything that must be said, in the order in which it is printed.

    Without `late_penalty_percent` (a year) the rate is that of the law. `discount` is a sentence on terms of early
    payment, in the document's language; without it there is none.
    """
    if late_penalty_percent is None:
        penalties = _STATUTORY_PENALTIES[language]
    else:
        rate = format_decimal(late_penalty_percent, locale=language, decimal_quantization=False)
        penalties = _PENALTIES[language].format(rate=rate)
    said = [
        Mention(penalties, "PMD"),
        Mention(_RECOVERY[language], "PMT"),
        Mention(discount or _NO_DISCOUNT[language], "AAB"),
        Mention(_SERVICES[language]),
    ]
    if vat_on_debits:
        said.append(Mention(_ON_DEBITS[language]))
    return tuple(said)
