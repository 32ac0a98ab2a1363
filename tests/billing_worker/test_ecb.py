from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_worker.ecb import SOURCE, read_rates
from ledger.exchange import ExchangeRateError

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><gesmes:Envelope'
    ' xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"'
    ' xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><gesmes:subject>Reference rates</gesmes:subject>'
    "<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender><Cube>"
)
TAIL = "</Cube></gesmes:Envelope>"


def xml(*days: str) -> bytes:
    return (HEAD + "".join(days) + TAIL).encode()


def cube(day: str, **rates: str) -> str:
    inside = "".join(f"<Cube currency='{name}' rate='{rate}'/>" for name, rate in rates.items())
    return f"<Cube time='{day}'>{inside}</Cube>"


def read(data: bytes) -> dict[date, Decimal]:
    return {rate.day: rate.per_euro for rate in read_rates(data)}


def test_the_history_and_the_day_are_read_alike() -> None:
    found = read(xml(cube("2026-11-20", USD="1.1535", JPY="180.1"), cube("2026-11-19", USD="1.15")))
    assert found == {date(2026, 11, 20): Decimal("1.1535"), date(2026, 11, 19): Decimal("1.15")}
    assert {rate.source for rate in read_rates(xml(cube("2026-11-20", USD="1.15")))} == {SOURCE}


@pytest.mark.parametrize(
    "table",
    [
        "Date,USD,JPY,CYP,\n2026-11-20,1.1535,180.1,N/A,\n2026-11-19,1.15,180,N/A,\n",
        "\ufeffDate, USD, JPY, \r\n20 November 2026, 1.1535, 180.1, \r\n19 November 2026, 1.15, 180, \r\n",
    ],
)
def test_tables_are_read_with_either_way_to_write_a_day(table: str) -> None:
    assert read(table.encode()) == {
        date(2026, 11, 20): Decimal("1.1535"),
        date(2026, 11, 19): Decimal("1.15"),
    }


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><body>Moved</body></html>",
        b"Not found",
        xml(),
        xml(cube("2026-11-20", JPY="180.1")),
        xml(cube("2026-11-20", USD="0")),
        xml(cube("2026-11-20", USD="-1")),
        xml(cube("2026-11-20", USD="1e3")),
        xml(cube("2026-11-20", USD="1,15")),
        xml(cube("2026-11-20", USD="1.1"), cube("2026-11-20", USD="1.1")),
        xml(cube("2026-11-20", USD="1.1")[:-7] + "<Cube currency='USD' rate='1.2'/></Cube>"),
        xml(cube("2026-13-20", USD="1.1")),
        xml(cube("20/11/2026", USD="1.1")),
        xml(cube("2026-11-20", USD="1.1"))[:-5],
        b"Date,JPY\n2026-11-20,180\n",
        b"Date,USD\n2026-11-20,N/A\n",
        b"Date,USD,JPY\n2026-11-20,1.15\n",
        b"Date,USD\n2026-11-20,\xff\n",
        b"Date,USD,USD\n2026-11-20,1,1\n",
    ],
)
def test_what_is_not_as_expected_in_every_part_is_refused(document: bytes) -> None:
    with pytest.raises(ExchangeRateError):
        read_rates(document)


def test_a_document_with_declarations_of_its_own_is_refused() -> None:
    document = xml(cube("2026-11-20", USD="&a;")).replace(
        b"?>", b'?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>', 1
    )
    with pytest.raises(ExchangeRateError):
        read_rates(document)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_else_is_refused_in_the_same_way(data: bytes) -> None:
    with pytest.raises(ExchangeRateError):
        read_rates(data)
