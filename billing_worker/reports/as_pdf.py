"""A table as PDF, for people: its figures, its chart, and its first rows."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from billing_worker.documents.characters import as_printed, as_written
from billing_worker.documents.typesetting import typeset
from billing_worker.notices.wording import LOCALES
from billing_worker.reports.drawing import draw
from billing_worker.reports.labels import LABELS, NOTES, TITLES, WORDS
from billing_worker.reports.table import Table, Value
from billing_worker.reports.writing import written
from ledger.invoice import Language

MAX_ROWS = 1000
"""More is for programs; the other formats have all."""
_NARROW = 7


def as_pdf(table: Table, language: Language) -> bytes:
    """Raises TypesettingError."""
    return typeset("report.typ", {"layout": json.dumps(_layout(table, language))}, day=table.made_at.date())


def _layout(table: Table, language: Language) -> dict[str, Any]:
    labels, words = LABELS[language], WORDS[language]
    if table.organization is not None:
        table = _without(table, "organization")
    chart = table.chart and replace(table.chart, places=tuple(map(_text, table.chart.places)))
    notes = [NOTES[language][note] for note in table.notes]
    if len(table.rows) > MAX_ROWS:
        notes.insert(0, words["cut"].format(shown=MAX_ROWS, rows=len(table.rows)))

    def moment(at: datetime) -> str:
        zone = ZoneInfo(table.time_zone)
        return format_datetime(at, "d MMM y HH:mm", tzinfo=zone, locale=LOCALES[language])

    start, end = moment(table.period.start), moment(table.period.end)
    return {
        "lang": language,
        "title": TITLES[language][table.template],
        "organization": _text(table.organization or words["all"]),
        "span": words["span"].format(start=start, end=end, zone=table.time_zone),
        "made": words["made"].format(moment=moment(table.made_at)),
        "page": words["page"],
        "facts": [
            {"label": labels[fact.name], "value": written(fact.value, fact.kind, language, fact.currency)}
            for fact in table.facts
        ],
        "chart": draw(chart, language) if chart else None,
        "wide": len(table.columns) > _NARROW,
        "columns": [
            {
                "label": _label(labels[column.name], column.currency),
                "number": column.kind not in ("text", "day"),
            }
            for column in table.columns
        ],
        "rows": [_row(table, row, language) for row in table.rows[:MAX_ROWS]],
        "totals": _totals(table, language) if table.totals and table.rows else None,
        "none": words["none"],
        "notes": notes,
    }


def _without(table: Table, name: str) -> Table:
    """What the head of the page says need not be said in every row."""
    kept = [place for place, column in enumerate(table.columns) if column.name != name]
    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
    )


def _row(table: Table, row: tuple[Value, ...], language: Language) -> list[str]:
    return [
        _text(written(value, column.kind, language))
        if column.kind == "text"
        else _figure(written(value, column.kind, language))
        for column, value in zip(table.columns, row, strict=True)
    ]


def _totals(table: Table, language: Language) -> list[str]:
    found = [
        _figure(written(table.totals[column.name], column.kind, language))
        if column.name in table.totals
        else ""
        for column in table.columns
    ]
    return [LABELS[language]["total"], *found[1:]]


def _label(label: str, currency: str | None) -> str:
    return f"{label} ({currency})" if currency else label


def _figure(text: str) -> str:
    """Its groups a little further apart: the narrow space is too narrow in small print."""
    return text.replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")


def _text(text: str) -> str:
    return as_printed(as_written(text))
