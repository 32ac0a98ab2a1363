"""Which VAT a service bears, by who sells it to whom from where. Pure.

Of the Code général des impôts (CGI) and directive 2006/112/EC, for services supplied electronically:

| buyer | treatment |
|---|---|
| where the seller is (Monaco counts as France) | the seller's rate; none under the franchise of art. 293 B |
| elsewhere in the Union, VAT number confirmed | reverse charge: art. 283-2, directive art. 196 |
| elsewhere in the Union, no such number | as a consumer: the seller's rate |
| Guadeloupe, Martinique, Réunion, of a French seller | 8.5 % (art. 296) |
| French Guiana, Mayotte, of a French seller | none (art. 294) |
| outside the Union | not subject: art. 259-1 for a business, art. 259 D for a consumer |

A seller's rate for consumers elsewhere in the Union is right up to 10,000 EUR a year; beyond it their own rate is
due by the one-stop shop, which is not done here.
"""

from dataclasses import dataclass
from decimal import Decimal

from ledger.invoice import Language, VatCategory
from ledger.invoice_totals import Exemption

STANDARD_RATE = Decimal(20)

UNION = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)

_ZERO = Decimal(0)
_REDUCED_OVERSEAS = frozenset({"GP", "MQ", "RE"})
_OVERSEAS_RATE = Decimal("8.5")
_UNTAXED_OVERSEAS = frozenset({"GF", "YT"})

_REVERSE_CHARGE: dict[Language, str] = {
    "fr": "Autoliquidation : TVA due par le preneur, article 283-2 du CGI et article 196 de la directive 2006/112/CE",
    "en": "Reverse charge: VAT due by the customer, article 283-2 of the French Tax Code (CGI) and article 196 of "
    "Directive 2006/112/EC",
}
_REVERSE_CHARGE_OF_OTHERS: dict[Language, str] = {
    "fr": "Autoliquidation : TVA due par le preneur, article 196 de la directive 2006/112/CE",
    "en": "Reverse charge: VAT due by the customer, article 196 of Directive 2006/112/EC",
}
_OUTSIDE_BUSINESS: dict[Language, str] = {
    "fr": "TVA non applicable : prestation de services à un preneur établi hors de l'Union européenne, "
    "article 259-1 du CGI",
    "en": "Not subject to French VAT: service supplied to a customer outside the European Union, article 259-1 of "
    "the French Tax Code (CGI)",
}
_OUTSIDE_CONSUMER: dict[Language, str] = {
    "fr": "TVA non applicable : service électronique à un preneur établi hors de l'Union européenne, "
    "article 259 D du CGI",
    "en": "Not subject to French VAT: electronic service to a customer outside the European Union, article 259 D of "
    "the French Tax Code (CGI)",
}
_OUTSIDE_OF_OTHERS: dict[Language, str] = {
    "fr": "TVA non applicable : prestation de services hors de l'Union européenne, articles 44 et 58 de la directive "
    "2006/112/CE",
    "en": "Not subject to VAT: service supplied outside the European Union, articles 44 and 58 of Directive "
    "2006/112/EC",
}
_FRANCHISE: dict[Language, str] = {
    "fr": "TVA non applicable, article 293 B du CGI",
    "en": "VAT not applicable, article 293 B of the French Tax Code (CGI)",
}
_OVERSEAS: dict[Language, str] = {
    "fr": "TVA non applicable, article 294 du CGI",
    "en": "VAT not applicable, article 294 of the French Tax Code (CGI)",
}


@dataclass(frozen=True, slots=True)
class VatTreatment:
    """For every line of a document: its category, its rate in percent and, where none is due, why."""

    category: VatCategory
    rate: Decimal
    exemption: Exemption | None = None

    @property
    def exemptions(self) -> dict[VatCategory, Exemption]:
        """As totals want it."""
        return {} if self.exemption is None else {self.category: self.exemption}


def vat_treatment(
    seller_country: str,
    buyer_country: str,
    language: Language,
    *,
    buyer_vat_number_confirmed: bool,
    buyer_is_business: bool = True,
    franchise: bool = False,
    rate: Decimal = STANDARD_RATE,
) -> VatTreatment:
    """How a service of this seller to this buyer is taxed; the module says by which rules.

    Countries are of ISO 3166-1. `rate` is the seller's own. `franchise`: the seller is a French one that charges no
    VAT at home. Raises ValueError for a seller outside the Union, whose rules are not known here.
    """
    seller, buyer = _taxed_as(seller_country), _taxed_as(buyer_country)
    if seller not in UNION:
        raise ValueError(f"seller country '{seller_country}': VAT is only known for sellers in the Union")
    french = seller == "FR"
    if french and buyer in _REDUCED_OVERSEAS:
        return _at_home(_OVERSEAS_RATE, language, franchise=franchise)
    if french and buyer in _UNTAXED_OVERSEAS:
        return VatTreatment("E", _ZERO, Exemption(None, _OVERSEAS[language]))
    if buyer not in UNION:
        return VatTreatment(
            "O", _ZERO, Exemption("VATEX-EU-O", _outside(buyer_is_business, french)[language])
        )
    if buyer != seller and buyer_vat_number_confirmed:
        reason = _REVERSE_CHARGE if french else _REVERSE_CHARGE_OF_OTHERS
        return VatTreatment("AE", _ZERO, Exemption("VATEX-EU-AE", reason[language]))
    return _at_home(rate, language, franchise=french and franchise)


def _taxed_as(country: str) -> str:
    return "FR" if country == "MC" else country


def _at_home(rate: Decimal, language: Language, *, franchise: bool) -> VatTreatment:
    if franchise:
        return VatTreatment("E", _ZERO, Exemption("VATEX-FR-FRANCHISE", _FRANCHISE[language]))
    if rate == 0:
        return VatTreatment("Z", _ZERO)
    return VatTreatment("S", rate)


def _outside(business: bool, french: bool) -> dict[Language, str]:
    if not french:
        return _OUTSIDE_OF_OTHERS
    return _OUTSIDE_BUSINESS if business else _OUTSIDE_CONSUMER
