"""Results become a page and pictures, whatever measurements are there."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from loadtests.report.chart import chart
from loadtests.report.page import write
from loadtests.stand import results

FIGURE = {
    "first_p50": 0.2,
    "relay_p50": 0.1,
    "relay_p99": 2.5,
    "chunk_rate": 25_000.0,
    "stalls": 0,
    "errors": 0,
    "reason": "",
    "resident_mb": 61.0,
}


def of(target: str, scenario: str, rate: float, p50: float) -> dict[str, object]:
    own = {"target": target, "scenario": scenario, "rate": rate, "p50": p50, "p99": p50 * 2}
    return own | FIGURE | {"cpu": {target: 90.0, "redis": 30.0}}


def test_the_page_says_where_figures_come_from_and_sets_them_against_the_yardstick(tmp_path: Path) -> None:
    figures = [
        of(target, scenario, rate, p50)
        for scenario in ("c1", "c64", "s256")
        for target, rate, p50 in (
            ("direct", 9e4, 0.1),
            ("nginx_lua", 8000.0, 0.4),
            ("tollkeeper", 12_000.0, 0.35),
        )
    ]
    told = {
        "rounds": 3,
        "seconds": 2.0,
        "durable": False,
        "apart": True,
        "ready_seconds": 1.5,
        "figures": figures,
    }
    results.write(tmp_path, "bench", told)
    page = write(tmp_path).read_text()
    where, _ = results.read(tmp_path, "bench") or (None, None)
    assert where is not None
    assert where.python in page
    assert where.date in page
    assert "| c64 | tollkeeper | 12,000 | 1.50 |" in page
    assert "| tollkeeper | 0.25 | 0.5 |" in page  # added at one client
    for name in ("calls.svg", "streams.svg"):
        assert f"({name})" in page
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")


def test_the_page_of_nothing_is_a_page(tmp_path: Path) -> None:
    assert write(tmp_path).read_text().startswith("# Results")


def test_the_longest_bar_is_the_largest_value() -> None:
    root = ElementTree.fromstring(chart("a & b", "c", {"one": {"x": 10.0, "y": 20.0}}))
    bars = [float(each.get("width", "0")) for each in root.findall("{*}rect") if each.get("height") == "13"]
    assert bars == [240.0, 480.0]
