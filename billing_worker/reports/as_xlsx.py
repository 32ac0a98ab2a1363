"""A table as a spreadsheet with real numbers and dates, written row by row: memory does not grow with the rows."""

from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from billing_worker.reports.labels import LABELS, NOTES, TITLES, WORDS
from billing_worker.reports.table import Column, Table, Value
from ledger.invoice import Language

_FORMATS = {
    "text": "@",
    "day": "yyyy-mm-dd",
    "count": "#,##0",
    "money": "#,##0.00####",
    "percent": "0.00##",
    "milliseconds": "#,##0",
    "bytes": "#,##0",
    "rate": "#,##0",
}
_UNITS = {"percent": "%", "milliseconds": "ms", "bytes": "B", "rate": "B/s"}
_WIDTHS = {"text": 26, "day": 12, "money": 16}
_LONGEST = 32_000


def as_xlsx(table: Table, language: Language) -> bytes:
    """One sheet with the table, its totals below, and one that says what it is about."""
    content = BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(content, {**options, "strings_to_numbers": False}) as book:
        title = TITLES[language][table.template]
        # The same table gives the same file.
        book.set_properties({"title": title, "created": table.made_at.replace(tzinfo=None)})
        _write_table(book, table, language)
        _write_about(book, table, language)
    return content.getvalue()


def _write_table(book: Any, table: Table, language: Language) -> None:
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    formats = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
    totals = {
        kind: book.add_format({"num_format": text, "bold": True, "top": 1}) for kind, text in _FORMATS.items()
    }
    sheet = book.add_worksheet(TITLES[language][table.template][:31])
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, _WIDTHS.get(column.kind, 13))
        sheet.write_string(0, place, _label(column, language), head)
    for number, row in enumerate(table.rows, 1):
        for place, (column, value) in enumerate(zip(table.columns, row, strict=True)):
            _write(sheet, number, place, _shown(column, value, language), formats[column.kind])
    sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)
    if table.totals:
        last = len(table.rows) + 1
        for place, column in enumerate(table.columns):
            value = LABELS[language]["total"] if place == 0 else table.totals.get(column.name)
            _write(sheet, last, place, value, totals[column.kind])


def _write_about(book: Any, table: Table, language: Language) -> None:
    sheet = book.add_worksheet("Info")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 60)
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    zone = ZoneInfo(table.time_zone)
    labels, words = LABELS[language], WORDS[language]
    rows: list[tuple[str, Any]] = [
        (labels["organization"], table.organization or words["all"]),
        (words["from"], table.period.start.astimezone(zone).replace(tzinfo=None)),
        (words["to"], table.period.end.astimezone(zone).replace(tzinfo=None)),
        (words["zone"], table.time_zone),
    ]
    rows += [(f"{labels[fact.name]} {fact.currency or ''}".strip(), fact.value) for fact in table.facts]
    rows += [("", NOTES[language][note]) for note in table.notes]
    for number, (label, value) in enumerate(rows):
        sheet.write_string(number, 0, label)
        _write(sheet, number, 1, value, moment if isinstance(value, date) else None)


def _write(sheet: Any, row: int, place: int, value: Any, form: Any) -> None:
    if value is None:
        sheet.write_blank(row, place, None, form)
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, form)
    elif isinstance(value, int | Decimal):
        # Spreadsheets count in floats; a nano of a million is within what those hold.
        sheet.write_number(row, place, value, form)
    else:
        sheet.write_string(row, place, value[:_LONGEST], form)


def _label(column: Column, language: Language) -> str:
    unit = column.currency or _UNITS.get(column.kind)
    label = LABELS[language][column.name]
    return f"{label} ({unit})" if unit else label


def _shown(column: Column, value: Value, language: Language) -> Value:
    return WORDS[language][str(value)] if column.name == "state" else value
