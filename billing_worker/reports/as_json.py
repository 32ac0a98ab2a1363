"""A table as JSON: for programs. Money and percentages are decimal strings, as everywhere in the API."""

from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from billing_worker.reports.labels import LABELS, NOTES, TITLES
from billing_worker.reports.table import Table, Value
from ledger.invoice import Language
from ledger.records import decimal_text, rfc3339


def as_json(table: Table, language: Language) -> bytes:
    labels = LABELS[language]
    return orjson.dumps(
        {
            "template": table.template,
            "title": TITLES[language][table.template],
            "organization": table.organization,
            "from": rfc3339(table.period.start),
            "to": rfc3339(table.period.end),
            "time_zone": table.time_zone,
            "made_at": rfc3339(table.made_at),
            "facts": [
                {
                    "name": fact.name,
                    "label": labels[fact.name],
                    "type": fact.kind,
                    "currency": fact.currency,
                    "value": plain(fact.value),
                }
                for fact in table.facts
            ],
            "columns": [
                {
                    "name": column.name,
                    "label": labels[column.name],
                    "type": column.kind,
                    "currency": column.currency,
                }
                for column in table.columns
            ],
            "rows": [
                {column.name: plain(value) for column, value in zip(table.columns, row, strict=True)}
                for row in table.rows
            ],
            "totals": {name: plain(value) for name, value in table.totals.items()},
            "chart": _chart(table, language),
            "notes": [NOTES[language][note] for note in table.notes],
        }
    )


def plain(value: Value) -> str | int | None:
    if isinstance(value, Decimal):
        return decimal_text(value)
    return value.isoformat() if isinstance(value, date) else value


def _chart(table: Table, language: Language) -> dict[str, Any] | None:
    chart = table.chart
    if chart is None:
        return None
    return {
        "form": chart.form,
        "type": chart.kind,
        "currency": chart.currency,
        "places": chart.places,
        "series": [
            {
                "name": series.name,
                "label": LABELS[language][series.name],
                "values": [plain(value) for value in series.values],
            }
            for series in chart.series
        ],
    }
