"""A plain SVG of small line plots; colours that can be read on light and on dark ground."""

from collections.abc import Sequence
from math import log10

Panel = tuple[str, str, Sequence[tuple[float, float]]]
"""Title, what the horizontal axis counts, and (x, y) with x > 0, in order of x."""

_WIDTH, _HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 20, 36, 40
_COLUMNS = 2


def svg(panels: Sequence[Panel]) -> str:
    """The panels two abreast; x in powers of ten, y from 0."""
    rows = -(-len(panels) // _COLUMNS)
    width, height = _WIDTH * _COLUMNS, _HEIGHT * rows
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = 'font-family="sans-serif" font-size="11" fill="#777"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>']
    for number, panel in enumerate(panels):
        left, top = number % _COLUMNS * _WIDTH, number // _COLUMNS * _HEIGHT
        parts += [f'<g transform="translate({left},{top})">', *_panel(*panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, axis: str, points: Sequence[tuple[float, float]]) -> list[str]:
    low, high = log10(points[0][0]), log10(points[-1][0])
    top = _round_up(max(y for _, y in points))
    inner, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = (log10(x) - low) / (high - low) if high > low else 0.5
        return round(_LEFT + across * inner, 1), round(_TOP + tall * (1 - y / top), 1)

    floor = _HEIGHT - _BOTTOM
    drawn = [f'<text x="{_LEFT}" y="20" font-size="13" font-weight="bold">{title}</text>']
    for share in (0, 0.5, 1):
        y = place(points[0][0], top * share)[1]
        drawn.append(f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="#999" stroke-opacity="0.4"/>')
        drawn.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{top * share:g}</text>')
    places = [place(x, y) for x, y in points]
    for (x, _), (across, down) in zip(points, places, strict=True):
        drawn.append(f'<circle cx="{across}" cy="{down}" r="3" fill="#3b82c4"/>')
        drawn.append(f'<text x="{across}" y="{floor + 14}" text-anchor="middle">{_short(x)}</text>')
    line = " ".join(f"{across},{down}" for across, down in places)
    drawn.append(f'<polyline points="{line}" fill="none" stroke="#3b82c4" stroke-width="2"/>')
    drawn.append(f'<text x="{_LEFT + inner / 2}" y="{floor + 30}" text-anchor="middle">{axis}</text>')
    return drawn


def _round_up(value: float) -> float:
    """A round number that is at least `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** int(log10(value) // 1)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _short(count: float) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.3g}{letter}"
    return f"{count:g}"
