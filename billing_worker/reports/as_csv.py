"""A table as CSV by RFC 4180: a header and the rows, without totals, so that programs read nothing twice.

Spreadsheets run what begins like a formula: texts that do get an apostrophe in front, which they take for a mark.
"""

import csv
from io import StringIO

from billing_worker.reports.as_json import plain
from billing_worker.reports.table import Table
from ledger.invoice import Language

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(table: Table, _: Language) -> bytes:
    """UTF-8, with the machine names of the columns; money is in the header's currency."""
    text = StringIO(newline="")
    writer = csv.writer(text, dialect="excel", lineterminator="\r\n")
    writer.writerow(
        f"{column.name}_{column.currency.lower()}" if column.currency else column.name
        for column in table.columns
    )
    for row in table.rows:
        writer.writerow("" if value is None else _safe(plain(value)) for value in row)
    return text.getvalue().encode()


def _safe(value: str | int | None) -> str | int | None:
    is_formula = isinstance(value, str) and value.startswith(_FORMULAS) and not _is_number(value)
    return f"'{value}" if is_formula else value


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
