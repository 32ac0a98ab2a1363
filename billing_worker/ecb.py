"""The euro foreign exchange reference rates, in the forms in which the European Central Bank publishes them. Pure.

XML: `eurofxref-daily.xml`, `-hist-90d.xml`, `-hist.xml`. CSV: what its archives contain, one column for each currency.
"""

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Final

from lxml import etree

from ledger.exchange import ExchangeRateError, ExchangeRates, Rate

SOURCE: Final = "ECB euro foreign exchange reference rates"
CURRENCY: Final = "USD"

_SPACE: Final = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}"
_ENVELOPE: Final = "{http://www.gesmes.org/xml/2002-08-01}Envelope"
_RATE: Final = re.compile(r"\d{1,6}(\.\d{1,6})?")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def read_rates(data: bytes) -> ExchangeRates:
    """US dollars per euro of every day in the document. Raises ExchangeRateError unless all of it is as expected."""
    rates = ExchangeRates(_read_xml(data) if data.lstrip()[:1] == b"<" else _read_csv(data))
    if not rates.rows():
        raise ExchangeRateError("the document has no rates")
    return rates


def _read_xml(data: bytes) -> Iterator[Rate]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ExchangeRateError(f"the document is not XML: {error.msg}") from None
    if root.tag != _ENVELOPE or b"<!DOCTYPE" in data:
        raise ExchangeRateError("the document is not the envelope of the reference rates")
    for day in root.findall(f"{_SPACE}Cube/{_SPACE}Cube"):
        said = [
            cube.get("rate", "") for cube in day.findall(f"{_SPACE}Cube") if cube.get("currency") == CURRENCY
        ]
        if len(said) != 1:
            raise ExchangeRateError(f"{day.get('time')}: {len(said)} rates of {CURRENCY}")
        yield _rate(day.get("time", ""), said[0])


def _read_csv(data: bytes) -> Iterator[Rate]:
    try:
        rows = list(csv.reader(StringIO(data.decode("utf-8-sig")), skipinitialspace=True, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ExchangeRateError(f"the document is neither XML nor CSV: {error}") from None
    if not rows or rows[0][:1] != ["Date"] or rows[0].count(CURRENCY) != 1:
        raise ExchangeRateError("the document is not a table of the reference rates")
    column = rows[0].index(CURRENCY)
    for row in rows[1:]:
        if row and len(row) != len(rows[0]):
            raise ExchangeRateError(f"{row[0]}: {len(row)} columns and not {len(rows[0])}")
        if row:
            yield _rate(row[0], row[column])


def _rate(day: str, said: str) -> Rate:
    if not _RATE.fullmatch(said):
        raise ExchangeRateError(f"{day[:20]}: {said[:20]!r} is no rate")
    return Rate(_day(day), Decimal(said), SOURCE)


def _day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        # The daily table alone writes its day in words.
        return datetime.strptime(f"{text} +0000", "%d %B %Y %z").date()
    except ValueError:
        raise ExchangeRateError(f"{text[:20]!r} is no day") from None
