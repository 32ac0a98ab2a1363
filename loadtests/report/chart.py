"""Bars as SVG: a title, a group for each scenario, a bar for each target."""

from collections.abc import Mapping
from html import escape
from typing import Final

_COLOURS: Final = ("#4c566a", "#88a0b8", "#5b8c5a", "#c08a3e", "#b5484b", "#7a5c99")
_WIDTH: Final = 760
_LEFT: Final = 70
_BARS: Final = 480
_HEIGHT: Final = 16


def chart(title: str, unit: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """`groups` are values by target, by scenario. Longer is more; all bars have one scale."""
    targets = list(dict.fromkeys(target for group in groups.values() for target in group))
    colours = {target: _COLOURS[number % len(_COLOURS)] for number, target in enumerate(targets)}
    largest = max((value for group in groups.values() for value in group.values()), default=0.0) or 1.0
    lines = [_text(10, 22, f"{title} ({unit})", size=15)]
    x = 10
    for target in targets:
        lines += [_box(x, 34, 12, 12, colours[target]), _text(x + 17, 44, target)]
        x += 32 + 8 * len(target)
    y = 64
    for name, group in groups.items():
        lines.append(_text(10, y + 12, name))
        for target, value in group.items():
            length = max(1.0, _BARS * value / largest)
            lines.append(_box(_LEFT, y, length, _HEIGHT - 3, colours[target]))
            lines.append(_text(_LEFT + length + 6, y + 11, _number(value)))
            y += _HEIGHT
        y += 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
    style = 'font-family="system-ui, sans-serif" role="img"'
    background = f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>'
    named = f"<title>{escape(title)}</title>"
    return "\n".join([f"{head} {style}>", named, background, *lines, "</svg>", ""])


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:g}" font-size="{size}" fill="#222222">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
