"""The invoice as a document: who owes whom how much for what. Pure; all that is printed or sent is in it.

Amounts are Decimal in `currency` with two places, prices with at most six, as EN 16931 has them.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from ledger.periods import Period

Currency = Literal["EUR", "USD"]
Language = Literal["fr", "en"]

InvoiceKind = Literal["invoice", "credit_note"]
InvoiceStatus = Literal["draft", "sent", "paid", "overdue", "cancelled"]
"""`sent` is issued: numbered and frozen. `overdue` is left by being paid; `cancelled` is by a credit note of all."""

VatCategory = Literal["S", "Z", "E", "AE", "K", "G", "O"]
"""Of UNTDID 5305: standard or reduced rate, zero, exempt, reverse charge, within the Union, export, not subject."""

LineKind = Literal[
    "subscription",  # a plan's fixed fee, whole or for a part of the period
    "usage",  # tokens and pieces of one model, at the plan's rates
    "overage",  # what went beyond the quota that the plan includes
    "requests",  # a price per request
    "minimum",  # what is missing to the agreed minimum
    "token_pack",
    "discount",
    "sla_credit",
    "adjustment",
]


MentionSubject = Literal["AAB", "PMD", "PMT", "AAI"]
"""Of UNTDID 4451: terms of discount, penalties for lateness, costs of recovery, anything else."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A sentence that must stand on a document, and what it is about."""

    text: str
    subject: MentionSubject = "AAI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`country` is of ISO 3166-1, two letters."""

    lines: tuple[str, ...]
    postal_code: str
    city: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Seller or buyer. `legal_mention` is what the law wants beside the name: form, capital, register."""

    name: str
    address: Address
    siren: str | None = None
    siret: str | None = None
    vat_number: str | None = None
    email: str | None = None
    legal_mention: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """`net` is `quantity` times `unit_price` over `base_quantity`, rounded once, half up.

    `unit` is of UN/ECE Recommendation 20 (C62 is one piece, MON a month). `organization_id` is whose usage it
    is, where one pays for several, and `organization_name` what it is called on the document. Credits have a
    negative quantity, never a negative price. `project` is an id, and `project_name` what it is called on the document.
    """

    kind: LineKind
    description: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    base_quantity: Decimal
    net: Decimal
    vat_category: VatCategory
    vat_rate: Decimal
    period: Period
    organization_id: str
    organization_name: str | None = None
    project: str | None = None
    project_name: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VatShare:
    """VAT of all lines of one category and rate (in percent), rounded once. `exemption` says why none is due."""

    category: VatCategory
    rate: Decimal
    base: Decimal
    amount: Decimal
    exemption_code: str | None = None
    exemption: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VatInEuros:
    """What a document in another currency must state too. `per_euro` is of `day`, by `source`."""

    amount: Decimal
    per_euro: Decimal
    day: date
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preceding:
    """The invoice that a credit note corrects."""

    number: str
    issued_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """`number`, `issued_on` and `due_on` are None while it is a draft. A credit note's amounts are positive.

    `mentions` must stand on it, in its language; `bank` is where a transfer goes. `vat_on_debits`: VAT is due
    when it is invoiced, instead of when it is paid.
    """

    id: str
    kind: InvoiceKind
    status: InvoiceStatus
    number: str | None
    language: Language
    currency: Currency
    period: Period
    issued_on: date | None
    due_on: date | None
    seller: Party
    buyer: Party
    lines: tuple[InvoiceLine, ...]
    vat: tuple[VatShare, ...]
    net: Decimal
    vat_total: Decimal
    gross: Decimal
    paid: Decimal
    mentions: tuple[Mention, ...]
    payment_terms: str
    time_zone: str
    vat_in_euros: VatInEuros | None = None
    preceding: Preceding | None = None
    bank_iban: str | None = None
    bank_bic: str | None = None
    buyer_reference: str | None = None
    vat_on_debits: bool = False

    @property
    def due(self) -> Decimal:
        """What is still to be paid."""
        return self.gross - self.paid
