"""Line plots and interval plots as inline SVG, without a plotting library.

Colours are CSS variables (`--ink`, `--soft`, `--rule`, `--c0` … `--c5`) that the page sets, so a plot follows the
page into dark mode and onto paper. All numbers are in the units of a fixed 640-wide canvas.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from aim.report.style import STYLE_SHEET

NUM_COLOURS = 6  # the page defines --c0 … --c5
PLOT_WIDTH_PX = 640
LEFT_MARGIN_PX, RIGHT_MARGIN_PX, TOP_MARGIN_PX, BOTTOM_MARGIN_PX = (
    56,
    122,
    12,
    40,
)  # margins; names stand at the right ends of their lines
ROW_HEIGHT_PX = 26  # height of one row of an interval plot
LETTER_WIDTH_PX, LEGEND_LINE_PX = 7.2, 18  # of a legend: a letter at most, and a line
MAX_PLOT_POINTS = 400  # points drawn of a line; more than its pixels say nothing


@dataclass(frozen=True)
class Curve:
    """A named curve; `x` ascends from 0 or above. `colour` picks one of the page's."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0


@dataclass(frozen=True)
class RateInterval:
    """Rate, or correlation, with its confidence bounds."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Axis:
    """Linear or logarithmic map from values to canvas positions."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Canvas position of `value`."""
        scale = math.log10 if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + share * (self.end - self.start)


def choose_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round tick values (1, 2 or 5 times a power of ten apart) in [low, high]."""
    assert high > low, (low, high)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def choose_log_ticks(low: float, high: float) -> list[float]:
    """Round tick values in [low, high] of a logarithmic axis: decades, with 2 and 5 between."""
    assert 0 < low < high, (low, high)
    if high < 10 * low:
        return choose_ticks(low, high)  # within a decade there are too few of the others
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    between = (1,) if high > 1e3 * low else (1, 2, 5)
    return [m * 10.0**d for d in decades for m in between if low * (1 - 1e-9) <= m * 10.0**d <= high * (1 + 1e-9)]


def smooth_values(values: Sequence[float], window: int) -> list[float]:
    """Centred moving average over about `window` values; the window shrinks near the ends."""
    total = [0.0, *itertools.accumulate(values)]
    out = []
    for i in range(len(values)):
        half = min(window // 2, i, len(values) - 1 - i)
        out.append((total[i + half + 1] - total[i - half]) / (2 * half + 1))
    return out


def plot_curves(lines: Sequence[Curve], x_label: str, y_label: str, *, log: bool = False, height: int = 260) -> str:
    """SVG of curves: raw values faint, moving average firm, the name at the right end."""
    lines = [_drop_nonfinite(line, log) for line in lines]
    lines = [line for line in lines if len(line.x) > 1]
    if not lines:
        return '<p class="note">Nothing to plot yet: fewer than two points.</p>'
    means = [smooth_values(line.y, max(1, len(line.y) // 25)) for line in lines]
    x = Axis(0.0, max(line.x[-1] for line in lines), LEFT_MARGIN_PX, PLOT_WIDTH_PX - RIGHT_MARGIN_PX)
    y = Axis(
        *_pad_range([value for mean in means for value in mean], log), height - BOTTOM_MARGIN_PX, TOP_MARGIN_PX, log
    )
    parts = [_draw_grid(x, y, height, x_label, y_label)]
    for line, mean in zip(lines, means, strict=True):
        raw = [min(max(value, y.low), y.high) for value in line.y]
        parts.append(_draw_path(x, y, line.x, raw, f'class="raw" stroke="var(--c{line.colour % NUM_COLOURS})"'))
        parts.append(_draw_path(x, y, line.x, mean, f'class="mean" stroke="var(--c{line.colour % NUM_COLOURS})"'))
    for line, mean, height_px in zip(lines, means, _spread_positions([y(mean[-1]) for mean in means], 14), strict=True):
        ink = f'style="fill:var(--c{line.colour % NUM_COLOURS})"'
        label = f"{escape(line.name)} {format_short(mean[-1])}"
        parts.append(f'<text x="{PLOT_WIDTH_PX - RIGHT_MARGIN_PX + 8}" y="{height_px + 4:.1f}" {ink}>{label}</text>')
    return _wrap_svg(height, f"{y_label} against {x_label}", parts)


def plot_intervals(rows: Sequence[tuple[str, Sequence[RateInterval | None]]], names: Sequence[str]) -> str:
    """SVG of rates with confidence intervals on an axis from 0 to 100 %: a band per row, a colour per name."""
    left, right, band = 150, 20, max(ROW_HEIGHT_PX, 13 * len(names) + 8)
    x = Axis(0.0, 1.0, left, PLOT_WIDTH_PX - right)
    legend, top = _draw_legend(names, left)
    height = top + 2 + band * len(rows) + 34
    foot = height - 34
    parts = [legend]
    for value in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="rule" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{top}" y2="{foot}"/>')
        parts.append(f'<text class="tick" text-anchor="middle" x="{x(value):.1f}" y="{foot + 16}">{value:.0%}</text>')
    for i, (name, marks) in enumerate(rows):
        middle = top + 2 + band * (i + 0.5)
        parts.append(f'<text text-anchor="end" x="{left - 12}" y="{middle + 4:.1f}">{escape(name)}</text>')
        for j, mark in enumerate(marks):
            if mark is not None:
                tip = f"{mark.rate:.1%}, 95 % interval {mark.low:.1%} to {mark.high:.1%}"
                parts.append(_draw_whisker(x, mark, middle + 13 * (j - (len(marks) - 1) / 2), j, tip))
    return _wrap_svg(height, "success rate with 95 % intervals", parts)


def plot_correlations(rows: Sequence[tuple[str, RateInterval | None]]) -> str:
    """SVG of correlations with confidence intervals on an axis from -1 to 1, a row each; those under 0 stand out."""
    left, right, top = 190, 20, TOP_MARGIN_PX
    x = Axis(-1.0, 1.0, left, PLOT_WIDTH_PX - right)
    foot = top + ROW_HEIGHT_PX * len(rows)
    parts = []
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        parts.append(f'<line class="rule" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{top}" y2="{foot}"/>')
        parts.append(f'<text class="tick" text-anchor="middle" x="{x(value):.1f}" y="{foot + 16}">{value:g}</text>')
    for i, (name, mark) in enumerate(rows):
        middle = top + ROW_HEIGHT_PX * (i + 0.5)
        parts.append(f'<text text-anchor="end" x="{left - 12}" y="{middle + 4:.1f}">{escape(name)}</text>')
        if mark is not None:
            tip = f"{mark.rate:.2f}, 95 % interval {mark.low:.2f} to {mark.high:.2f}"
            parts.append(_draw_whisker(x, mark, middle, 1 if mark.high < 0 else 0, tip))
    return _wrap_svg(foot + 34, "correlation with success, with 95 % intervals", parts)


def format_svg_file(drawn: str) -> str:
    """A plot as a file of its own: with the light colours of the page, for any viewer."""
    rules = [*re.findall(r"^svg[^{]*{[^}]*}", STYLE_SHEET, re.MULTILINE), "svg { background: var(--paper); }"]
    colours = dict(re.findall(r"--(\w+): (#\w+);", STYLE_SHEET.partition("@media")[0]))
    alone = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    alone = alone.replace(">", f"><style>{' '.join(rules)}</style>", 1)
    return re.sub(r"var\(--(\w+)\)", lambda found: colours[found[1]], alone) + "\n"


def format_short(value: float) -> str:
    """Axis label of a number: three significant digits, thousands as k, millions as M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * unit or (abs(value) >= unit and value % (unit / 10) == 0):
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def _drop_nonfinite(line: Curve, log: bool) -> Curve:
    """Curve without values that cannot be plotted, subsampled to MAX_PLOT_POINTS."""
    pairs = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y) and (y > 0 or not log)]
    step = max(1, math.ceil(len(pairs) / MAX_PLOT_POINTS))
    pairs = [*pairs[:-1:step], *pairs[-1:]]
    return Curve(line.name, [x for x, _ in pairs], [y for _, y in pairs], line.colour)


def _pad_range(values: Sequence[float], log: bool) -> tuple[float, float]:
    """Axis range that holds all values with a margin."""
    low, high = min(values), max(values)
    if log:
        return low / 1.15, high * 1.15
    room = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return (0.0 if 0 <= low < 0.5 * high else low - room), high + room


def _draw_grid(x: Axis, y: Axis, height: int, x_label: str, y_label: str) -> str:
    """Grid lines, tick labels and axis labels."""
    parts, right = [], PLOT_WIDTH_PX - RIGHT_MARGIN_PX
    for value in choose_log_ticks(y.low, y.high) if y.log else choose_ticks(y.low, y.high):
        at, label = y(value), format_short(value)
        parts.append(f'<line class="rule" x1="{LEFT_MARGIN_PX}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{LEFT_MARGIN_PX - 8}" y="{at + 4:.1f}">{label}</text>')
    for value in choose_ticks(x.low, x.high):
        place = f'x="{x(value):.1f}" y="{height - BOTTOM_MARGIN_PX + 17}"'
        parts.append(f'<text class="tick" text-anchor="middle" {place}>{format_short(value)}</text>')
    middle = f'x="{(LEFT_MARGIN_PX + right) / 2}" y="{height - 5}"'
    parts.append(f'<text class="label" text-anchor="middle" {middle}>{escape(x_label)}</text>')
    turned = f'transform="translate(13 {(TOP_MARGIN_PX + height - BOTTOM_MARGIN_PX) / 2}) rotate(-90)"'
    parts.append(f'<text class="label" text-anchor="middle" {turned}>{escape(y_label)}</text>')
    return "".join(parts)


def _draw_path(x: Axis, y: Axis, xs: Sequence[float], ys: Sequence[float], style: str) -> str:
    """Polyline through the points."""
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, ys, strict=True))
    return f'<polyline points="{points}" {style}/>'


def _draw_whisker(x: Axis, mark: RateInterval, at: float, colour: int, tip: str) -> str:
    """Dot at the rate on a line between its bounds, with a text that a pointer shows."""
    return (
        f'<g stroke="var(--c{colour % NUM_COLOURS})" fill="var(--c{colour % NUM_COLOURS})"><title>{tip}</title>'
        f'<line class="whisker" x1="{x(mark.low):.1f}" x2="{x(mark.high):.1f}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<circle cx="{x(mark.rate):.1f}" cy="{at:.1f}" r="4.5" stroke="none"/></g>'
    )


def _draw_legend(names: Sequence[str], left: float) -> tuple[str, float]:
    """Legend of a dot and a name for each colour, in as many lines as that takes, and the height where it ends."""
    parts, x, y = [], left, float(TOP_MARGIN_PX)
    for i, name in enumerate(names):
        width = 34 + LETTER_WIDTH_PX * len(name)
        if x > left and x + width > PLOT_WIDTH_PX:
            x, y = left, y + LEGEND_LINE_PX
        parts.append(f'<circle cx="{x + 5}" cy="{y + 2}" r="4.5" fill="var(--c{i % NUM_COLOURS})"/>')
        parts.append(f'<text x="{x + 15}" y="{y + 6}">{escape(name)}</text>')
        x += width
    return "".join(parts), y + 18


def _spread_positions(positions: Sequence[float], min_gap: float) -> list[float]:
    """Positions moved down by the least amount that keeps them `min_gap` apart."""
    out, floor = [0.0] * len(positions), -math.inf
    for i in sorted(range(len(positions)), key=lambda i: positions[i]):
        floor = out[i] = max(positions[i], floor + min_gap)
    return out


def _wrap_svg(height: float, title: str, parts: Sequence[str]) -> str:
    """Parts as one SVG that fills the width of its column."""
    body = "".join(parts)
    return f'<svg viewBox="0 0 {PLOT_WIDTH_PX} {height}" role="img" aria-label="{escape(title)}">{body}</svg>'
