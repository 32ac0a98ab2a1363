"""Billing profiles: who pays for an organization, and how its invoices are addressed."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from ledger import audit, organizations
from ledger.database import Connection
from ledger.errors import BadReferenceError, ConflictError
from ledger.invoice import Address, Language, Party
from ledger.organizations import Organization
from ledger.parties import PostalAddress, Sentence, Siren, Siret, VatNumber
from ledger.records import Email, Instant, Name, Record

_CODE = Annotated[str, StringConstraints(pattern=r"^VATEX-[A-Z0-9-]{2,40}$", strict=True)]


class BillingTerms(Record):
    """What is null follows the organization itself, or the seller.

    `payer_id` is the organization that pays for this one, on its own invoice. `vat_exempt` says why no VAT is due.
    """

    payer_id: Annotated[str, StringConstraints(min_length=1, max_length=64, strict=True)] | None = None
    legal_name: Name | None = None
    address: PostalAddress | None = None
    siren: Siren | None = None
    siret: Siret | None = None
    vat_number: VatNumber | None = None
    vat_confirmed: bool = Field(
        False, strict=True, description="the VAT number was confirmed by VIES: reverse charge in the Union"
    )
    is_business: bool = Field(True, strict=True)
    language: Language | None = None
    vat_exempt: Sentence | None = None
    vat_exempt_code: _CODE | None = None
    payment_terms_days: int | None = Field(None, ge=0, le=60, strict=True)
    invoice_email: Email | None = None
    buyer_reference: Name | None = None

    @field_validator("vat_confirmed")
    @classmethod
    def _of_a_number(cls, confirmed: bool, known: ValidationInfo) -> bool:
        if confirmed and known.data.get("vat_number") is None:
            raise ValueError("needs a vat_number that was confirmed")
        return confirmed

    @field_validator("vat_exempt_code")
    @classmethod
    def _code_with_reason(cls, code: str | None, known: ValidationInfo) -> str | None:
        if code is not None and known.data.get("vat_exempt") is None:
            raise ValueError("needs vat_exempt, the reason in words")
        return code


class BillingProfile(BillingTerms):
    """`updated_at` is null for an organization that was given none."""

    organization_id: str
    updated_at: Instant | None

    @property
    def lacking(self) -> list[str]:
        """What the law wants on an invoice and nobody said."""
        address = self.address
        found = {
            "address": address is None or not (address.lines and address.postal_code and address.city),
            "siren": (address is None or address.country == "FR")
            and self.is_business
            and not (self.siren or self.siret or self.vat_number),
        }
        return [name for name, is_missing in found.items() if is_missing]

    def country(self, sellers: str) -> str:
        return self.address.country if self.address else sellers

    def buyer(self, organization: Organization, seller_country: str) -> Party:
        # Who is named as a business must be named with its address.
        siret = self.siret or (organization.siret if self.address else None)
        unknown = Address(lines=(), postal_code="", city="", country=seller_country)
        return Party(
            name=self.legal_name or organization.name,
            address=self.address.address() if self.address else unknown,
            siren=self.siren or (siret[:9] if siret else None),
            siret=siret,
            vat_number=self.vat_number,
            email=self.invoice_email or organization.email,
        )

    def language_for(self, country: str) -> Language:
        return self.language or ("fr" if country == "FR" else "en")


_FIELDS = tuple(BillingTerms.model_fields)


async def get(connection: Connection, organization_id: str) -> BillingProfile:
    """Raises NotFoundError."""
    row = await connection.fetchrow(
        "select * from billing_profile where organization_id = $1", organization_id
    )
    if row is not None:
        return BillingProfile.of(row)
    await organizations.get(connection, organization_id)
    return BillingProfile(organization_id=organization_id, updated_at=None)


async def change(
    connection: Connection, actor: str, organization_id: str, changes: dict[str, Any]
) -> BillingProfile:
    """Sets the named fields. What was issued stays as it is.

    Raises NotFoundError, BadReferenceError for a payer that cannot be one, pydantic's ValidationError.
    """
    await organizations.lock(connection, organization_id)
    present = (await get(connection, organization_id)).model_dump(include=set(_FIELDS))
    if changes.get("vat_number", present["vat_number"]) != present["vat_number"]:
        present["vat_confirmed"] = False
    terms = BillingTerms.model_validate({**present, **changes})
    if terms.payer_id is not None:
        await _check_payer(connection, organization_id, terms.payer_id)
    values: dict[str, Any] = {name: getattr(terms, name) for name in _FIELDS}
    values["address"] = terms.address.model_dump(mode="json") if terms.address else None
    columns, settings = ", ".join(_FIELDS), ", ".join(f"{name} = excluded.{name}" for name in _FIELDS)
    places = ", ".join(f"${number}" for number in range(2, len(_FIELDS) + 2))
    row = await connection.fetchrow(
        f"insert into billing_profile (organization_id, {columns}) values ($1, {places})"
        f" on conflict (organization_id) do update set updated_at = now(), {settings} returning *",
        *(organization_id, *values.values()),
    )
    detail = terms.model_dump(mode="json", include=set(changes))
    await audit.write(connection, actor, "billing_profile.change", organization_id, detail)
    return BillingProfile.of(row)


async def _check_payer(connection: Connection, organization_id: str, payer_id: str) -> None:
    """One level only: who pays for others pays for itself."""
    if payer_id == organization_id:
        raise BadReferenceError("an organization pays for itself without being named", "payer_id")
    payer = await connection.fetchrow(
        "select organization.id, payer_id from organization"
        " left join billing_profile on organization_id = organization.id where organization.id = $1"
        " for update of organization",
        payer_id,
    )
    if payer is None:
        raise BadReferenceError(f"there is no organization '{payer_id}'", "payer_id")
    if payer["payer_id"] is not None:
        raise BadReferenceError(f"'{payer_id}' does not pay for itself", "payer_id")
    if await connection.fetchval(
        "select exists (select from billing_profile where payer_id = $1)", organization_id
    ):
        raise ConflictError(f"'{organization_id}' pays for others", "payer_id")


async def payer_of(connection: Connection, organization_id: str) -> str:
    return (await get(connection, organization_id)).payer_id or organization_id


async def group_of(connection: Connection, payer_id: str) -> list[str]:
    """The organizations on the payer's invoice: itself first, then those that it pays for, by their age."""
    rows = await connection.fetch(
        "select organization.id from organization left join billing_profile on organization_id = organization.id"
        " where organization.id = $1 or payer_id = $1 order by organization.id <> $1, no",
        payer_id,
    )
    return [row["id"] for row in rows]
