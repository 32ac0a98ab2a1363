import csv
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import openpyxl
import orjson
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_worker.reports.as_csv import as_csv
from billing_worker.reports.as_json import as_json
from billing_worker.reports.as_pdf import MAX_ROWS, as_pdf
from billing_worker.reports.as_xlsx import as_xlsx
from billing_worker.reports.drawing import draw
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
    for write in (as_json, as_csv, as_xlsx, as_pdf):
        assert write(table(), "en") == write(table(), "en")


def _pages(data: bytes) -> list[str]:
    with pypdfium2.PdfDocument(data) as document:
        return [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]


def test_a_pdf_has_figures_table_and_notes_in_its_language() -> None:
    (text,) = _pages(as_pdf(table(), "fr"))
    for part in (
        "Consommation détaillée",
        "Du 1 nov. 2026 01:00 au 1 déc. 2026 01:00 (Europe/Paris)",
        "12,34 €",
        "19 nov. 2026",
        '=HYPERLINK("x")',
        "1 000 000",
        "-1 234,50",
        "0,000000001",
        "12,5 %",
        "Total",
        "Le premier octet est une moyenne",
        "Page 1 sur 1",
    ):
        assert part in text, part


def test_a_pdf_of_many_rows_breaks_pages_and_says_what_it_leaves_out() -> None:
    rows = tuple((date(2026, 11, 1), f"row {n}.", n, Decimal(n), None) for n in range(MAX_ROWS + 5))
    pages = _pages(as_pdf(table(rows), "en"))
    assert len(pages) > 10
    assert all("Requests" in page for page in pages)
    shown = [n for page in pages for n in range(MAX_ROWS + 5) if f"row {n}." in page]
    assert len(set(shown)) == MAX_ROWS
    assert "The first 1000 of 1005 rows" in pages[-1]


def test_a_pdf_of_nothing_says_so() -> None:
    assert "There is nothing to show" in _pages(as_pdf(table(()), "en"))[0]


@pytest.mark.parametrize("name", ["gpt-4.1-mini-audio-preview-2025-04-14", "a_word_" + 40 * "w"])
def test_a_long_name_stays_in_its_column(name: str) -> None:
    columns = (Column("model", "text"), *(Column("key", "text") for _ in range(8)))
    made = replace(table(), columns=columns, rows=((name, *("x" for _ in range(8))),), totals={}, chart=None)
    with pypdfium2.PdfDocument(as_pdf(made, "en")) as document:
        page = document[0].get_textpage()
        text = page.get_text_range()
        begun, ended = text.index(name[:3]), text.index("x")
        column = page.get_charbox(begun)[0] + document[0].get_width() / 9
        for number in range(begun, ended):
            assert page.get_charbox(number)[2] < column


@given(
    st.lists(st.one_of(st.none(), st.decimals(0, 10**9, places=4)), min_size=1, max_size=40),
    st.sampled_from(["lines", "bars"]),
    st.text(max_size=20).filter(lambda text: text.isprintable()),
)
def test_a_chart_is_xml_that_stays_within_its_frame(
    values: list[Decimal | None], form: Any, name: str
) -> None:
    chart = Chart(form, "money", tuple(name for _ in values), (Series("price", tuple(values)),), "EUR")
    drawn = draw(chart, "fr")
    if all(value is None for value in values):
        assert drawn is None
        return
    assert drawn is not None
    root = ElementTree.fromstring(drawn)
    heights = [float(each.attrib["y"]) for each in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert all(0 <= height <= 240 for height in heights)


def test_a_higher_value_is_drawn_higher() -> None:
    chart = Chart("bars", "count", ("a", "b", "c"), (Series("requests", (1, 2, 3)),))
    drawn = ElementTree.fromstring(draw(chart, "en") or "")
    bars = [each for each in drawn.iter("{http://www.w3.org/2000/svg}rect") if each.get("rx") is None]
    assert all(float(low.attrib["y"]) > float(high.attrib["y"]) for low, high in pairwise(bars))
