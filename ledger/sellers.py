"""The seller: who issues the invoices of this installation. One row."""

from decimal import Decimal
from typing import Annotated, Any

import asyncpg
from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from stdnum.eu.vat import MEMBER_STATES

from ledger import audit
from ledger.database import Connection
from ledger.errors import ConflictError
from ledger.invoice import Party
from ledger.organizations import check_time_zone
from ledger.parties import Bic, Iban, PostalAddress, Sentence, Siren, Siret, VatNumber
from ledger.records import Email, Instant, Name, Record, decimal_text

Percent = Annotated[
    Decimal, Field(ge=0, lt=100, decimal_places=2), PlainSerializer(decimal_text, return_type=str)
]
SeriesName = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,12}$", strict=True)]


class SellerTerms(Record):
    """All of the seller that people decide. `legal_mention`: form, capital and register, as the law wants them.

    Rates in percent. An invoice is issued `grace_hours` after its period's end. Numbers are the series' name, the year
    and a count: `FA2026-000001`.
    """

    name: Name
    address: PostalAddress
    siren: Siren | None = None
    siret: Siret | None = None
    vat_number: VatNumber | None = None
    email: Email | None = None
    legal_mention: Sentence | None = None
    iban: Iban | None = None
    bic: Bic | None = None
    time_zone: Annotated[str, AfterValidator(check_time_zone)] = Field(
        "Europe/Paris", description="whose days are the dates of invoices"
    )
    vat_rate: Percent = Decimal(20)
    vat_franchise: bool = Field(
        False, strict=True, validate_default=True, description="no VAT at all (article 293 B of the CGI)"
    )
    vat_on_debits: bool = Field(False, strict=True)
    late_penalty_rate: Percent | None = Field(None, description="a year; null: the rate of the law")
    payment_terms_days: int = Field(30, ge=0, le=60, strict=True)
    grace_hours: int = Field(24, ge=0, le=240, strict=True)
    invoice_series: SeriesName = "FA"
    credit_series: SeriesName = "AV"

    @field_validator("address")
    @classmethod
    def _in_the_union(cls, address: PostalAddress) -> PostalAddress:
        if address.country.lower() not in MEMBER_STATES and address.country != "MC":
            raise ValueError("must lie in the European Union, whose VAT is the only one known here")
        return address

    @field_validator("vat_franchise")
    @classmethod
    def _numbered_for_vat(cls, franchise: bool, known: ValidationInfo) -> bool:
        if not franchise and known.data.get("vat_number") is None:
            raise ValueError("must be true for a seller without a vat_number, who charges no VAT")
        return franchise

    @field_validator("credit_series")
    @classmethod
    def _series_apart(cls, series: str, known: ValidationInfo) -> str:
        if series == known.data.get("invoice_series"):
            raise ValueError("must differ from invoice_series")
        return series


class Seller(SellerTerms):
    updated_at: Instant

    def party(self) -> Party:
        return Party(
            name=self.name,
            address=self.address.address(),
            siren=self.siren or (self.siret[:9] if self.siret else None),
            siret=self.siret,
            vat_number=self.vat_number,
            email=self.email,
            legal_mention=self.legal_mention,
        )


_FIELDS = tuple(SellerTerms.model_fields)


async def find(connection: Connection) -> Seller | None:
    return Seller.maybe(await connection.fetchrow("select * from seller"))


async def get(connection: Connection) -> Seller:
    """Raises ConflictError where nobody said yet who sells."""
    found = await find(connection)
    if found is None:
        raise ConflictError("it is not known who sells: set /api/admin/seller first")
    return found


async def put(connection: Connection, actor: str, terms: SellerTerms) -> Seller:
    columns = ", ".join(_FIELDS)
    places = ", ".join(f"${number}" for number in range(1, len(_FIELDS) + 1))
    settings = ", ".join(f"{name} = excluded.{name}" for name in _FIELDS)
    row: asyncpg.Record | None = await connection.fetchrow(
        f"insert into seller ({columns}) values ({places})"
        f" on conflict (only_one) do update set updated_at = now(), {settings} returning *",
        *_arguments(terms),
    )
    await audit.write(connection, actor, "seller.change", "seller", terms.model_dump(mode="json"))
    return Seller.of(row)


async def change(connection: Connection, actor: str, changes: dict[str, Any]) -> Seller:
    """Sets the named fields; of a first seller, all that it must have. Raises pydantic's ValidationError."""
    await connection.execute("select 1 from seller for update")
    found = await find(connection)
    present = {} if found is None else found.model_dump(include=set(_FIELDS))
    return await put(connection, actor, SellerTerms.model_validate({**present, **changes}))


def _arguments(terms: SellerTerms) -> list[Any]:
    values: dict[str, Any] = {name: getattr(terms, name) for name in _FIELDS}
    values["address"] = terms.address.model_dump(mode="json")
    return list(values.values())
