"""Line plots and interval plots as inline SVG: text, so sharp at any size and free of any library.

Colours are CSS variables (`--ink`, `--soft`, `--rule`, `--c0` … `--c5`) that the page sets, so a plot follows the
page into dark mode and onto paper. All numbers are in the units of a fixed 640-wide canvas.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = 6  # the page defines --c0 … --c5
PLOT_WIDTH_PX = 640
LEFT, RIGHT, TOP, BOTTOM = 56, 122, 12, 40  # margins; names stand at the right ends of their lines
ROW_HEIGHT_PX = 26  # height of one row of an interval plot
MAX_PLOT_POINTS = 400  # points drawn of a line; more than its pixels say nothing


@dataclass(frozen=True)
class Curve:
    """A named curve; `x` ascends from 0 or above. `colour` picks one of the page's."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0


@dataclass(frozen=True)
class Mark:
    """A rate with its bounds, all in [0, 1]."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Axis:
    """A map from values to canvas positions; `log` where equal ratios are equal lengths."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of `value`."""
        scale = math.log10 if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round values (1, 2 or 5 times a power of ten apart) that lie in [low, high]."""
    assert high > low, (low, high)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return round values in [low, high] for a logarithmic axis: decades, with 2 and 5 between."""
    assert 0 < low < high, (low, high)
    if high < 10 * low:
        return ticks(low, high)  # within a decade there are too few of the others
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    between = (1,) if high > 1e3 * low else (1, 2, 5)
    return [m * 10.0**d for d in decades for m in between if low * (1 - 1e-9) <= m * 10.0**d <= high * (1 + 1e-9)]


def smooth(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of about `window` values around each place, as many before as behind: fewer near the ends."""
    total = [0.0, *itertools.accumulate(values)]
    out = []
    for i in range(len(values)):
        half = min(window // 2, i, len(values) - 1 - i)
        out.append((total[i + half + 1] - total[i - half]) / (2 * half + 1))
    return out


def curves(lines: Sequence[Curve], x_label: str, y_label: str, *, log: bool = False, height: int = 260) -> str:
    """Return the SVG of `lines`: each faint as measured and firm as a running mean, named at its right end."""
    lines = [_finite(line, log) for line in lines]
    lines = [line for line in lines if len(line.x) > 1]
    if not lines:
        return '<p class="note">Nothing to plot yet: fewer than two points.</p>'
    means = [smooth(line.y, max(1, len(line.y) // 25)) for line in lines]
    x = Axis(0.0, max(line.x[-1] for line in lines), LEFT, PLOT_WIDTH_PX - RIGHT)
    y = Axis(*_span([value for mean in means for value in mean], log), height - BOTTOM, TOP, log)
    parts = [_grid(x, y, height, x_label, y_label)]
    for line, mean in zip(lines, means, strict=True):
        raw = [min(max(value, y.low), y.high) for value in line.y]
        parts.append(_path(x, y, line.x, raw, f'class="raw" stroke="var(--c{line.colour % COLOURS})"'))
        parts.append(_path(x, y, line.x, mean, f'class="mean" stroke="var(--c{line.colour % COLOURS})"'))
    for line, mean, at in zip(lines, means, _spread([y(mean[-1]) for mean in means], 14), strict=True):
        ink = f'style="fill:var(--c{line.colour % COLOURS})"'
        said = f"{escape(line.name)} {short(mean[-1])}"
        parts.append(f'<text x="{PLOT_WIDTH_PX - RIGHT + 8}" y="{at + 4:.1f}" {ink}>{said}</text>')
    return _svg(height, f"{y_label} against {x_label}", parts)


def intervals(rows: Sequence[tuple[str, Sequence[Mark | None]]], names: Sequence[str]) -> str:
    """Return the SVG of rates with whiskers on an axis from 0 to 100 %: a band a row, a colour a name."""
    left, right, band = 150, 20, max(ROW_HEIGHT_PX, 13 * len(names) + 8)
    x = Axis(0.0, 1.0, left, PLOT_WIDTH_PX - right)
    height = TOP + 20 + band * len(rows) + 34
    foot = height - 34
    parts = [_legend(names, left)]
    for value in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="rule" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP + 18}" y2="{foot}"/>')
        parts.append(f'<text class="tick" text-anchor="middle" x="{x(value):.1f}" y="{foot + 16}">{value:.0%}</text>')
    for i, (name, marks) in enumerate(rows):
        middle = TOP + 20 + band * (i + 0.5)
        parts.append(f'<text text-anchor="end" x="{left - 12}" y="{middle + 4:.1f}">{escape(name)}</text>')
        for j, mark in enumerate(marks):
            if mark is not None:
                parts.append(_whisker(x, mark, middle + 13 * (j - (len(marks) - 1) / 2), j))
    return _svg(height, "success rate with 95 % intervals", parts)


def short(value: float) -> str:
    """Return a number as a reader wants it on an axis: three figures, thousands as k, millions as M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * unit or (abs(value) >= unit and value % (unit / 10) == 0):
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def _finite(line: Curve, log: bool) -> Curve:
    """Return the line without values that cannot be drawn, thinned to LONGEST points."""
    pairs = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y) and (y > 0 or not log)]
    step = max(1, math.ceil(len(pairs) / MAX_PLOT_POINTS))
    pairs = [*pairs[:-1:step], *pairs[-1:]]
    return Curve(line.name, [x for x, _ in pairs], [y for _, y in pairs], line.colour)


def _span(values: Sequence[float], log: bool) -> tuple[float, float]:
    """Return the range of an axis that holds all values with a little room."""
    low, high = min(values), max(values)
    if log:
        return low / 1.15, high * 1.15
    room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return (0.0 if 0 <= low < 0.5 * high else low - room), high + room


def _grid(x: Axis, y: Axis, height: int, x_label: str, y_label: str) -> str:
    """Return rules, tick labels and the names of both axes."""
    parts = []
    for value in log_ticks(y.low, y.high) if y.log else ticks(y.low, y.high):
        at = y(value)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{PLOT_WIDTH_PX - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{LEFT - 8}" y="{at + 4:.1f}">{short(value)}</text>')
    for value in ticks(x.low, x.high):
        place = f'x="{x(value):.1f}" y="{height - BOTTOM + 17}"'
        parts.append(f'<text class="tick" text-anchor="middle" {place}>{short(value)}</text>')
    middle = f'x="{(LEFT + PLOT_WIDTH_PX - RIGHT) / 2}" y="{height - 5}"'
    parts.append(f'<text class="label" text-anchor="middle" {middle}>{escape(x_label)}</text>')
    turned = f'transform="translate(13 {(TOP + height - BOTTOM) / 2}) rotate(-90)"'
    parts.append(f'<text class="label" text-anchor="middle" {turned}>{escape(y_label)}</text>')
    return "".join(parts)


def _path(x: Axis, y: Axis, xs: Sequence[float], ys: Sequence[float], style: str) -> str:
    """Return a polyline through the points."""
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, ys, strict=True))
    return f'<polyline points="{points}" {style}/>'


def _whisker(x: Axis, mark: Mark, at: float, colour: int) -> str:
    """Return one dot at the rate on a line from bound to bound."""
    tip = f"{mark.rate:.1%}, 95 % interval {mark.low:.1%} to {mark.high:.1%}"
    return (
        f'<g stroke="var(--c{colour % COLOURS})" fill="var(--c{colour % COLOURS})"><title>{tip}</title>'
        f'<line class="whisker" x1="{x(mark.low):.1f}" x2="{x(mark.high):.1f}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<circle cx="{x(mark.rate):.1f}" cy="{at:.1f}" r="4.5" stroke="none"/></g>'
    )


def _legend(names: Sequence[str], left: float) -> str:
    """Return one line with a dot and the name of every colour."""
    parts, at = [], left
    for i, name in enumerate(names):
        parts.append(f'<circle cx="{at + 5}" cy="{TOP + 2}" r="4.5" fill="var(--c{i % COLOURS})"/>')
        parts.append(f'<text x="{at + 15}" y="{TOP + 6}">{escape(name)}</text>')
        at += 34 + 7.2 * len(name)
    return "".join(parts)


def _spread(positions: Sequence[float], least: float) -> list[float]:
    """Return the positions moved downwards just so far that no two are nearer than `least`."""
    out, floor = [0.0] * len(positions), -math.inf
    for i in sorted(range(len(positions)), key=lambda i: positions[i]):
        floor = out[i] = max(positions[i], floor + least)
    return out


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    """Return the parts as one SVG that fills the width of its column."""
    body = "".join(parts)
    return f'<svg viewBox="0 0 {PLOT_WIDTH_PX} {height}" role="img" aria-label="{escape(title)}">{body}</svg>'
