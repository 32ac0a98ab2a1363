import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import openpyxl
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_worker.reports.as_csv import as_csv
from billing_worker.reports.as_json import as_json
from billing_worker.reports.as_xlsx import as_xlsx
from billing_worker.reports.table import Chart, Column, Fact, Series, Table, Value, totals
from ledger.periods import Period

COLUMNS = (
    Column("day", "day"),
    Column("project", "text"),
    Column("requests", "count", total=True),
    Column("price", "money", currency="EUR", total=True),
    Column("share", "percent"),
)
ROWS: tuple[tuple[Value, ...], ...] = (
    (date(2026, 11, 19), 'Été, "42"', 3, Decimal("0.000000001"), Decimal("12.5")),
    (date(2026, 11, 20), '=HYPERLINK("x")', 1_000_000, Decimal("-1234.5"), None),
)


def table(rows: tuple[tuple[Value, ...], ...] = ROWS) -> Table:
    return Table(
        template="usage",
        period=Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        time_zone="Europe/Paris",
        organization="Atelier",
        made_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
        columns=COLUMNS,
        rows=rows,
        totals=totals(COLUMNS, rows),
        facts=(Fact("projection", "money", Decimal("12.34"), "EUR"),),
        chart=Chart("bars", "count", ("2026-11-19",), (Series("requests", (3,)),)),
        notes=("first_byte_mean",),
    )


def test_json_has_every_part_with_its_type() -> None:
    found = orjson.loads(as_json(table(), "fr"))
    assert found["rows"][0] == {
        "day": "2026-11-19",
        "project": 'Été, "42"',
        "requests": 3,
        "price": "0.000000001",
        "share": "12.50",
    }
    assert found["totals"] == {"requests": 1_000_003, "price": "-1234.499999999"}
    assert found["columns"][3] == {"name": "price", "label": "Prix", "type": "money", "currency": "EUR"}
    assert found["facts"][0]["value"] == "12.34"


def test_csv_is_by_the_rfc_and_runs_no_formula() -> None:
    data = as_csv(table(), "fr").decode()
    assert data.count("\r\n") == data.count("\n") == 3
    rows = list(csv.reader(StringIO(data, newline=""), strict=True))
    assert rows == [
        ["day", "project", "requests", "price_eur", "share"],
        ["2026-11-19", 'Été, "42"', "3", "0.000000001", "12.50"],
        ["2026-11-20", '\'=HYPERLINK("x")', "1000000", "-1234.50", ""],
    ]


@given(st.text(max_size=30))
def test_no_text_is_a_formula_in_csv(text: str) -> None:
    rows: tuple[tuple[Value, ...], ...] = ((date(2026, 11, 19), text, 1, Decimal(1), None),)
    found = list(csv.reader(StringIO(as_csv(table(rows), "en").decode(), newline=""), strict=True))[1][1]
    assert not found.startswith(("=", "+", "@", "\t", "\r", "\n")) or found.lstrip("-").isdecimal()
    assert found.removeprefix("'") == text.removeprefix("'")


def _cells(data: bytes) -> list[list[Any]]:
    book = openpyxl.load_workbook(BytesIO(data))
    return [list(row) for row in book.worksheets[0].iter_rows()]


def test_a_spreadsheet_has_real_numbers_and_dates() -> None:
    head, first, second, total = _cells(as_xlsx(table(), "fr"))
    assert [cell.value for cell in head] == ["Jour", "Projet", "Requêtes", "Prix (EUR)", "Part (%)"]
    assert first[0].value == datetime(2026, 11, 19)  # noqa: DTZ001 - spreadsheets know no zones
    assert [cell.data_type for cell in first] == ["d", "s", "n", "n", "n"]
    assert first[3].value == pytest.approx(1e-9)
    assert (second[1].value, second[1].data_type) == ('=HYPERLINK("x")', "s")
    assert second[4].value is None
    assert (total[0].value, total[2].value) == ("Total", 1_000_003)


def test_the_same_table_is_the_same_file() -> None:
    for write in (as_json, as_csv, as_xlsx):
        assert write(table(), "en") == write(table(), "en")
