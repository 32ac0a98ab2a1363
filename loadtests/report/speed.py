"""The tables and pictures of a run of loadtests.bench."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from loadtests.report.chart import chart
from loadtests.report.table import number, table

OURS: Final = "tollkeeper"
_YARDSTICK: Final = "nginx_lua"

Figures = Sequence[Mapping[str, Any]]


def tables(figures: Figures) -> str:
    """JSON calls and streams, each against nginx with Lua, and what a call adds to the time of the upstream."""
    parts = []
    if calls := [each for each in figures if each["scenario"][0] == "c"]:
        parts.append(_calls(calls))
    if streams := [each for each in figures if each["scenario"][0] == "s"]:
        parts.append(_streams(streams))
    if added := _added(figures):
        parts.append(added)
    return "\n".join(parts)


def charts(figures: Figures) -> dict[str, str]:
    """SVG by name of file."""
    calls = _by_scenario(figures, "c", "rate", but="direct")
    streams = _by_scenario(figures, "s", "relay_p99", but="")
    drawn = {}
    if calls:
        drawn["calls.svg"] = chart("JSON calls on one core", "calls/s, more is better", calls)
    if streams:
        drawn["streams.svg"] = chart("Paced streams, relay p99", "ms, less is better", streams)
    return drawn


def _by_scenario(figures: Figures, kind: str, name: str, *, but: str) -> dict[str, dict[str, float]]:
    grouped: dict[str, dict[str, float]] = {}
    for each in figures:
        if each["scenario"][0] == kind and each["target"] != but:
            grouped.setdefault(each["scenario"], {})[each["target"]] = each[name]
    return grouped


def _calls(figures: Figures) -> str:
    rows = [
        [
            each["scenario"],
            each["target"],
            number(each["rate"]),
            _ratio(figures, each, "rate"),
            *(number(each[name]) for name in ("p50", "p99")),
            number(each["cpu"].get(each["target"], 0.0)),
            _others(each),
            number(each["resident_mb"]),
            str(each["errors"]),
        ]
        for each in figures
    ]
    head = ["clients", "target", "calls/s", "of nginx_lua", "p50 ms", "p99 ms", "CPU us/call", "others' CPU"]
    return table([*head, "MB", "errors"], rows)


def _streams(figures: Figures) -> str:
    rows = [
        [
            each["scenario"],
            each["target"],
            *(number(each[name]) for name in ("chunk_rate", "first_p50", "relay_p50", "relay_p99")),
            str(each["stalls"]),
            number(each["cpu"].get(each["target"], 0.0)),
            number(each["resident_mb"]),
            str(each["errors"]),
        ]
        for each in figures
    ]
    head = ["streams", "target", "chunks/s", "first byte p50 ms", "relay p50 ms", "relay p99 ms", "stalls"]
    return table([*head, "CPU us/chunk", "MB", "errors"], rows)


def _added(figures: Figures) -> str:
    direct = _find(figures, "direct", "c1")
    if direct is None:
        return ""
    rows = [
        [each["target"], *(number(each[name] - direct[name]) for name in ("p50", "p99"))]
        for each in figures
        if each["scenario"] == "c1" and each is not direct
    ]
    return table(["added at one client", "p50 ms", "p99 ms"], rows)


def _ratio(figures: Figures, each: Mapping[str, Any], name: str) -> str:
    yardstick = _find(figures, _YARDSTICK, each["scenario"])
    return f"{each[name] / yardstick[name]:.2f}" if yardstick is not None and yardstick[name] else ""


def _others(each: Mapping[str, Any]) -> str:
    return ", ".join(f"{part} {value:.0f}" for part, value in each["cpu"].items() if part != each["target"])


def _find(figures: Figures, target: str, scenario: str) -> Mapping[str, Any] | None:
    found = (each for each in figures if (each["target"], each["scenario"]) == (target, scenario))
    return next(found, None)
