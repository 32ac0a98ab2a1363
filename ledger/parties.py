"""What identifies a business on an invoice: its address, its numbers. Checked when they are entered."""

import re
from functools import cache
from typing import Annotated

import stdnum.bic
import stdnum.eu.vat
import stdnum.fr.siren
import stdnum.fr.siret
import stdnum.iban
from babel import Locale
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from stdnum.eu.vat import MEMBER_STATES

from ledger.invoice import Address
from ledger.records import Name, Record, plain_text

_GAPS = re.compile(r"[\s.-]")
# Of Unicode's regions, those that are no countries.
_NO_COUNTRIES = frozenset(
    ["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"]
)


@cache
def _countries() -> frozenset[str]:
    regions = (str(code) for code in Locale("en").territories)
    return frozenset(code for code in regions if len(code) == 2 and code.isalpha()) - _NO_COUNTRIES


def _country(code: str) -> str:
    if code not in _countries():
        raise ValueError("is not a country's two letters of ISO 3166-1, such as FR")
    return code


def _compact(value: object) -> object:
    return _GAPS.sub("", value).upper() if isinstance(value, str) else value


def _siren(number: str) -> str:
    return _checked(stdnum.fr.siren.is_valid(number), number, "SIREN (nine digits)")


def _siret(number: str) -> str:
    return _checked(stdnum.fr.siret.is_valid(number), number, "SIRET (fourteen digits)")


def _vat(number: str) -> str:
    # Outside of the Union numbers have no common form: what the customer says, in plain letters and digits.
    if vat_country(number) is not None:
        return _checked(stdnum.eu.vat.is_valid(number), number, "VAT number of the country that it names")
    return _checked(number.isascii() and number.isalnum(), number, "VAT number")


def _iban(number: str) -> str:
    return _checked(stdnum.iban.is_valid(number), number, "IBAN")


def _bic(number: str) -> str:
    return _checked(stdnum.bic.is_valid(number), number, "BIC")


def _checked(valid: bool, number: str, noun: str) -> str:
    if not valid:
        raise ValueError(f"is not a valid {noun}")
    return number


def vat_country(number: str) -> str | None:
    """The member state whose VAT number this claims to be, as ISO 3166-1 has it; None outside of the Union."""
    prefix = number[:2].lower()
    if prefix == "el":
        return "GR"
    return prefix.upper() if prefix in MEMBER_STATES else None


_Number = Annotated[
    str, BeforeValidator(_compact), StringConstraints(min_length=2, max_length=34, strict=True)
]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$", strict=True), AfterValidator(_country)]
Siren = Annotated[_Number, AfterValidator(_siren)]
Siret = Annotated[_Number, AfterValidator(_siret)]
VatNumber = Annotated[_Number, AfterValidator(_vat)]
Iban = Annotated[_Number, AfterValidator(_iban)]
Bic = Annotated[_Number, AfterValidator(_bic)]
Sentence = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, strict=True),
    AfterValidator(plain_text),
]
PostalCode = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=20, strict=True),
    AfterValidator(plain_text),
]


class PostalAddress(Record):
    """`country` is of ISO 3166-1, two letters."""

    lines: tuple[Name, ...] = Field((), max_length=3)
    postal_code: PostalCode = ""
    city: Name | None = None
    country: Country

    def address(self) -> Address:
        return Address(
            lines=self.lines, postal_code=self.postal_code, city=self.city or "", country=self.country
        )
