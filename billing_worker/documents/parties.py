"""Seller and buyer as they are printed. Pure."""

from collections.abc import Iterator

from billing_worker.documents.characters import as_printed, as_written
from billing_worker.documents.writing import Writing
from ledger.invoice import Address, Party

_CITY_FIRST = frozenset({"AU", "CA", "GB", "IE", "US"})


def party(party: Party, writing: Writing, *, home: str | None) -> dict[str, object]:
    """Name and lines. The country is left out where it is `home`."""
    lines = [*_address(party.address, writing, home), *_numbers(party, writing)]
    return {
        "name": as_printed(as_written(party.name)),
        "lines": [as_printed(as_written(line)) for line in lines],
    }


def _address(address: Address, writing: Writing, home: str | None) -> Iterator[str]:
    yield from address.lines
    if address.country in _CITY_FIRST:
        yield f"{address.city} {address.postal_code}"
    else:
        yield f"{address.postal_code} {address.city}"
    if address.country != home:
        yield writing.country(address.country)


def _numbers(party: Party, writing: Writing) -> Iterator[str]:
    if party.siret is not None:
        yield f"SIRET {party.siret}"
    elif party.siren is not None:
        yield f"SIREN {party.siren}"
    if party.vat_number is not None:
        yield f"{writing.labels.vat_number} {party.vat_number}"
    if party.email is not None:
        yield party.email
