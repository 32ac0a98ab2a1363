"""Who sells to whom, in which language, with which VAT and by when to pay. Pure."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from billing_worker.documents.mentions import mentions
from billing_worker.documents.vat_treatment import VatTreatment, vat_treatment
from ledger.billing_profiles import BillingProfile
from ledger.invoice import InvoiceLine, Language, Mention, Party
from ledger.invoice_totals import Exemption
from ledger.organizations import Organization
from ledger.sellers import Seller

_TERMS: dict[Language, tuple[str, str]] = {
    "fr": ("Paiement à {days} jours.", "Paiement à réception."),
    "en": ("Payable within {days} days.", "Payable on receipt."),
}


@dataclass(frozen=True, slots=True)
class Addressing:
    """All of a document but its lines."""

    seller: Party
    buyer: Party
    language: Language
    vat: VatTreatment
    mentions: tuple[Mention, ...]
    payment_days: int
    seller_zone: str
    time_zone: str
    bank_iban: str | None
    bank_bic: str | None
    buyer_reference: str | None
    vat_on_debits: bool

    @property
    def payment_terms(self) -> str:
        later, at_once = _TERMS[self.language]
        return later.format(days=self.payment_days) if self.payment_days else at_once

    def due_on(self, issued_on: date) -> date:
        return issued_on + timedelta(days=self.payment_days)

    def taxed(self, line: InvoiceLine) -> InvoiceLine:
        return replace(line, vat_category=self.vat.category, vat_rate=self.vat.rate)


def addressing(seller: Seller, payer: Organization, profile: BillingProfile) -> Addressing:
    """How the seller addresses this payer. An organization without an address is taken to be where the seller is."""
    home = seller.address.country
    country = profile.country(home)
    language = profile.language_for(country)
    days = profile.payment_terms_days
    return Addressing(
        seller=seller.party(),
        buyer=profile.buyer(payer, home),
        language=language,
        vat=_treatment(seller, profile, country, language),
        mentions=mentions(
            language,
            late_penalty_percent=seller.late_penalty_rate,
            vat_on_debits=seller.vat_on_debits,
        ),
        payment_days=seller.payment_terms_days if days is None else days,
        seller_zone=seller.time_zone,
        time_zone=payer.time_zone,
        bank_iban=seller.iban,
        bank_bic=seller.bic,
        buyer_reference=profile.buyer_reference,
        vat_on_debits=seller.vat_on_debits,
    )


def _treatment(seller: Seller, profile: BillingProfile, country: str, language: Language) -> VatTreatment:
    if profile.vat_exempt is not None:
        return VatTreatment("E", Decimal(0), Exemption(profile.vat_exempt_code, profile.vat_exempt))
    return vat_treatment(
        seller.address.country,
        country,
        language,
        buyer_vat_number_confirmed=profile.vat_confirmed,
        buyer_is_business=profile.is_business,
        franchise=seller.vat_franchise,
        rate=seller.vat_rate,
    )
