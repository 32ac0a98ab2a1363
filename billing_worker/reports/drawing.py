"""A chart as SVG: lines or bars over places, with a scale of round numbers. Pure; loads nothing and runs nothing."""

from decimal import Decimal
from html import escape
from math import ceil, floor, log10

from billing_worker.reports.labels import LABELS
from billing_worker.reports.table import Chart, Series
from billing_worker.reports.writing import written
from ledger.invoice import Language

WIDTH, HEIGHT = 760, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 10, 26, 26
_COLOURS = ("#1f3a5f", "#d97706", "#0f766e", "#9f1239")
_FONT = "IBM Plex Sans"
_LABELS = 10


def draw(chart: Chart, language: Language) -> str | None:
    """None where there is nothing to draw."""
    values = [float(value) for series in chart.series for value in series.values if value is not None]
    if not values:
        return None
    step, top = _scale(max(*values, 0.0))
    drawing = _Drawing(chart, top)
    parts = [*_grid(chart, drawing, step, top, language), *_places(chart, drawing)]
    for number, series in enumerate(chart.series):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += drawing.bars(series, colour) if chart.form == "bars" else drawing.lines(series, colour)
    parts += _legend(chart, language)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{_FONT}" font-size="10">{"".join(parts)}</svg>'
    )


def _scale(highest: float) -> tuple[float, float]:
    """The distance of grid lines, of which there are four or five, and the last of them."""
    if highest <= 0:
        return 0.25, 1.0
    raw = highest / 4
    power: float = 10.0 ** floor(log10(raw))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= raw * 0.9999)
    return step, step * ceil(highest / step * 0.9999)


class _Drawing:
    def __init__(self, chart: Chart, top: float) -> None:
        self.count = max(1, len(chart.places))
        self._top = top
        self.slot = (WIDTH - _LEFT - _RIGHT) / self.count

    def x(self, place: int) -> float:
        """The middle of a place."""
        return _LEFT + self.slot * (place + 0.5)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / self._top

    def bars(self, series: Series, colour: str) -> list[str]:
        width = min(self.slot * 0.7, 48)
        return [
            f'<rect x="{self.x(place) - width / 2:.1f}" y="{self.y(float(value)):.1f}" width="{width:.1f}"'
            f' height="{max(0.0, self.y(0) - self.y(float(value))):.1f}" fill="{colour}"/>'
            for place, value in enumerate(series.values)
            if value is not None
        ]

    def lines(self, series: Series, colour: str) -> list[str]:
        """Broken where a value is missing; a value between two gaps is a dot."""
        runs: list[list[tuple[float, float]]] = [[]]
        for place, value in enumerate(series.values):
            if value is None:
                runs.append([])
            else:
                runs[-1].append((self.x(place), self.y(float(value))))
        return [
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in run)}" fill="none" stroke="{colour}"'
            ' stroke-width="1.8" stroke-linejoin="round"/>'
            if len(run) > 1
            else f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2.5" fill="{colour}"/>'
            for run in runs
            if run
        ]


def _grid(chart: Chart, drawing: _Drawing, step: float, top: float, language: Language) -> list[str]:
    parts = []
    for number in range(round(top / step) + 1):
        value = Decimal(repr(step)) * number
        y = drawing.y(float(value))
        label = escape(written(value, chart.kind, language, chart.currency))
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dde3ea"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end" fill="#5b6470">{label}</text>'
        )
    return parts


def _places(chart: Chart, drawing: _Drawing) -> list[str]:
    every = ceil(drawing.count / _LABELS)
    longest = max(4, int(drawing.slot * every / 5.6))
    return [
        f'<text x="{drawing.x(number):.1f}" y="{HEIGHT - 8}" text-anchor="middle" fill="#5b6470">'
        f"{escape(place if len(place) <= longest else place[: longest - 1] + '…')}</text>"
        for number, place in enumerate(chart.places)
        if number % every == 0
    ]


def _legend(chart: Chart, language: Language) -> list[str]:
    parts, x = [], float(_LEFT)
    for number, series in enumerate(chart.series):
        label = LABELS[language][series.name]
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<rect x="{x:.1f}" y="6" width="9" height="9" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14:.1f}" y="14" fill="#1d2939">{escape(label)}</text>')
        x += 34 + 6 * len(label)
    return parts
