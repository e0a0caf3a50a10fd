"""Scores with intervals and curves of a training -> inline SVG, in the page's own colours."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .html_elements import Html, element

WIDTH, ROW, LEFT, RIGHT = 640, 26, 170, 90
"""Measures of a chart of scores, in its own units."""
HEIGHT, MARGIN, TOP = 220, 46, 30
"""Measures of a chart of curves."""
COLOURS = ("one", "two", "three", "four")
"""Classes of the page's style, for a curve each, and then again."""
RANGE = 20
"""Largest over smallest value from which on an axis is logarithmic."""
Points = Sequence[tuple[float, float]]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Mark:
    """A score by the name of what has it, with its interval where it has one."""

    name: str
    value: float
    interval: tuple[float, float] | None = None


def draw_scores(title: str, marks: Sequence[Mark]) -> Html:
    """One score of a model and of its baselines, a line each, on one scale."""
    low, high = _bounds([end for mark in marks for end in (mark.value, *(mark.interval or ()))])
    place = _scale((low, high), (LEFT, WIDTH - RIGHT))
    bottom = ROW * len(marks)
    parts = []
    for tick in _ticks(low, high):
        parts += [_line((place(tick), 0), (place(tick), bottom), "grid")]
        parts += [_text(f"{tick:.4g}", place(tick), bottom + 16, "middle")]
    for number, mark in enumerate(marks):
        parts += _draw_mark(mark, ROW * (number + 0.5), place)
    return _figure((WIDTH, bottom + ROW), title, parts)


def _draw_mark(mark: Mark, y: float, place: Scale) -> list[Html]:
    whole = mark.interval is not None
    parts = [_text(mark.name, LEFT - 14, y + 4, "end"), _text(f"{mark.value:.4f}", WIDTH - RIGHT + 14, y + 4, "start")]
    if mark.interval is not None:
        parts.append(_line((place(mark.interval[0]), y), (place(mark.interval[1]), y), "whisker"))
    dot = element("circle", cx=f"{place(mark.value):.1f}", cy=y, r=6 if whole else 5, class_="model" if whole else "")
    return [*parts, dot]


def draw_curves(title: str, curves: Mapping[str, Points], chosen: float) -> Html:
    """Curves by name over the steps of a training, on one scale; the step whose weights were kept is marked."""
    drawn = {name: [(step, value) for step, value in points if math.isfinite(value)] for name, points in curves.items()}
    values = [value for points in drawn.values() for _, value in points]
    if not values:
        return Html()
    logarithmic = 0 < min(values) < max(values) / RANGE
    measure: Scale = math.log10 if logarithmic else float
    steps = [step for points in drawn.values() for step, _ in points]
    low, high = _bounds(list(map(measure, values)))
    across = _scale((min(steps), max(steps)), (MARGIN, WIDTH - 12))
    up = _scale((low, high), (HEIGHT - MARGIN, TOP))
    parts = []
    for tick in _ticks(low, high):
        shown = 10**tick if logarithmic else tick
        parts += [_line((MARGIN, up(tick)), (WIDTH - 12, up(tick)), "grid")]
        parts += [_text(f"{shown:.3g}", MARGIN - 6, up(tick) + 4, "end")]
    parts.append(_line((across(chosen), TOP), (across(chosen), HEIGHT - MARGIN), "chosen"))
    parts += [
        _text(f"{step:g}", across(step), HEIGHT - MARGIN + 16, "middle") for step in sorted({min(steps), max(steps)})
    ]
    for number, points in enumerate(drawn.values()):
        placed = " ".join(f"{across(step):.1f},{up(measure(value)):.1f}" for step, value in points)
        parts.append(element("polyline", points=placed, class_=f"curve {COLOURS[number % len(COLOURS)]}"))
    parts += _legend([*drawn, f"kept: step {chosen:g}"])
    return _figure((WIDTH, HEIGHT), f"{title}, by step of the optimiser", parts)


def _legend(names: Sequence[str]) -> list[Html]:
    """A line in its colour and a name for each curve; the last is the step that was kept."""
    parts, x = [], float(MARGIN)
    for number, name in enumerate(names):
        colour = "chosen" if number == len(names) - 1 else f"curve {COLOURS[number % len(COLOURS)]}"
        parts += [_line((x, 12), (x + 20, 12), colour), _text(name, x + 26, 16, "start")]
        x += 50 + 7.5 * len(name)
    return parts


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis: a twentieth beyond the values on either side."""
    low, high = min(values), max(values)
    spare = (high - low) / 20 or abs(high) / 20 or 1
    return low - spare, high + spare


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between the ends of an axis, four to ten of them."""
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step = next(step * factor for factor in (2, 1, 0.5, 0.25) if (high - low) / (step * factor) >= 4)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _scale(ends: tuple[float, float], places: tuple[float, float]) -> Scale:
    """Values between the ends to places on the chart."""
    (low, high), (start, stop) = ends, places
    return lambda value: start + (value - low) / ((high - low) or 1) * (stop - start)


def _line(start: tuple[float, float], end: tuple[float, float], name: str) -> Html:
    (x1, y1), (x2, y2) = ([f"{place:.1f}" for place in point] for point in (start, end))
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=name)


def _text(text: str, x: float, y: float, anchor: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _figure(size: tuple[float, float], title: str, parts: Sequence[Html]) -> Html:
    box = f"0 0 {size[0]:g} {size[1]:g}"
    chart = element("svg", element("title", title), *parts, viewBox=box, role="img", width=f"{size[0]:g}")
    return element("figure", chart, element("figcaption", title), class_="chart")
