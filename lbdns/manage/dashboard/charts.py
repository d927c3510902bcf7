"""Lines over time as SVG, drawn here so that they are seen without JavaScript; with it, uPlot takes the numbers over.

Text keeps its size at any width: labels stand at percentages of the chart's width, and the lines lie in a box of their
own that is stretched (`PLOT_WIDTH` x `PLOT_HEIGHT`, preserveAspectRatio="none").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json

from lbdns.manage.dashboard import words_shown as words

PLOT_WIDTH: Final = 1000
PLOT_HEIGHT: Final = 100
COLOURS: Final = 8
"""Series colours of the style sheet, s0 to s7."""
LINES_MAX: Final = COLOURS
OTHERS: Final = "others"
Y_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
Y_TICKS: Final = 4
X_STEPS_S: Final = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600)
X_TICKS: Final = 6
DAY_S: Final = 86400
UNITS: Final = ("q/s", "%", "ms")

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line: its name, its number for colour and dashes, the paths of line and area, and what it says last."""

    name: str
    number: int
    path: str
    area: str
    last: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label and where it stands, in percent of the width or the height."""

    label: str
    at: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What the macro `chart` draws; `data` is what uPlot takes, as JSON."""

    title: str
    lines: tuple[ChartLine, ...]
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    data: str
    told: str
    """What it shows in a sentence, for who does not see it."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.lines


def chart_of(title: str, series: dict[str, Any], unit: str, stacked: bool = False, share: bool = False) -> Chart:
    """Return the chart of a result of /history/series: lines, or with `stacked` areas upon each other.

    `share`: of each moment's sum, in percent. `unit` is one of UNITS.
    """
    times: list[int] = series["times"]
    found = [(one["name"], one["values"]) for one in series["series"]]
    found = _few([(name, values) for name, values in found if any(value is not None for value in values)])
    if share:
        found = _shares(found)
    drawn = _stacked(found) if stacked else [(name, values, [0.0] * len(values)) for name, values in found]
    top = 100.0 if share else _top(value for _, values, _ in drawn for value in values if value is not None)
    lines = tuple(
        ChartLine(name, number % COLOURS, *_paths(values, below, top), words.number(_last(raw), unit))
        for number, ((name, values, below), (_, raw)) in enumerate(zip(drawn, found, strict=True))
    )
    data = {"times": times, "unit": unit, "stacked": stacked, "lines": [{"name": n, "values": v} for n, v in found]}
    step = top / Y_TICKS
    y = tuple(Tick(words.number(step * place, unit), 100 - 100 * place / Y_TICKS) for place in range(1, Y_TICKS + 1))
    told = f"{title}: " + ("; ".join(f"{line.name} {line.last}" for line in lines) or "nothing is known yet")
    return Chart(title, lines, tuple(_x_ticks(times, series["step_s"])), y, to_json(data).decode(), told)


def _few(lines: list[tuple[str, Values]]) -> list[tuple[str, Values]]:
    """Return the lines that can be told apart, and the sum of the rest."""
    if len(lines) <= LINES_MAX:
        return lines
    kept, rest = lines[: LINES_MAX - 1], lines[LINES_MAX - 1 :]
    return [*kept, (OTHERS, [_sum(column) for column in zip(*(values for _, values in rest), strict=True)])]


def _sum(column: Iterable[float | None]) -> float | None:
    known = [value for value in column if value is not None]
    return sum(known) if known else None


def _shares(lines: list[tuple[str, Values]]) -> list[tuple[str, Values]]:
    sums = [_sum(column) for column in zip(*(values for _, values in lines), strict=True)]
    return [(name, [_percent(*one) for one in zip(values, sums, strict=True)]) for name, values in lines]


def _percent(value: float | None, whole: float | None) -> float | None:
    return 100.0 * value / whole if value is not None and whole else None


def _stacked(lines: list[tuple[str, Values]]) -> list[tuple[str, Values, Sequence[float]]]:
    """Return each line's upper edge and what it stands on."""
    below = [0.0] * (len(lines[0][1]) if lines else 0)
    made: list[tuple[str, Values, Sequence[float]]] = []
    for name, values in lines:
        upper = [None if value is None else value + under for value, under in zip(values, below, strict=True)]
        made.append((name, upper, below))
        below = [under if value is None else value for value, under in zip(upper, below, strict=True)]
    return made


def _top(values: Iterable[float]) -> float:
    """Return a round number that no value passes, of which Y_TICKS parts are round as well."""
    most = max(values, default=0.0)
    if most <= 0.0:
        return float(Y_TICKS)
    least = most / Y_TICKS
    size = 10.0 ** math.floor(math.log10(least))
    return Y_TICKS * size * next(step for step in Y_STEPS if step * size >= least * 0.999999)


def _paths(values: Values, below: Sequence[float], top: float) -> tuple[str, str]:
    """Return the path of a line and of the area under it; where nothing is known they break off."""
    width = PLOT_WIDTH / max(1, len(values) - 1)
    lines, areas = [], []
    for run in _runs(values):
        upper = [(round(at * width, 1), round(PLOT_HEIGHT * (1 - values[at] / top), 2)) for at in run]  # type: ignore[operator]
        lower = [(x, round(PLOT_HEIGHT * (1 - below[at] / top), 2)) for at, (x, _) in zip(run, upper, strict=True)]
        if len(upper) == 1:  # a moment alone is a short line
            (x, y), (_, under) = upper[0], lower[0]
            upper, lower = [(x, y), (x + 2, y)], [(x, under), (x + 2, under)]
        lines.append("M" + "L".join(f"{x:g} {y:g}" for x, y in upper))
        areas.append("M" + "L".join(f"{x:g} {y:g}" for x, y in [*upper, *reversed(lower)]) + "Z")
    return "".join(lines), "".join(areas)


def _runs(values: Values) -> Iterable[list[int]]:
    """Yield the places of values that follow each other without a gap."""
    run: list[int] = []
    for at, value in enumerate(values):
        if value is not None:
            run.append(at)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _last(values: Values) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _x_ticks(times: Sequence[int], step_s: int) -> Iterable[Tick]:
    """Yield labels at round times, some X_TICKS of them."""
    if len(times) < 2:
        return
    span_s = times[-1] - times[0]
    step = next((one for one in X_STEPS_S if span_s / one <= X_TICKS), X_STEPS_S[-1])
    first = -(-times[0] // step) * step
    for at_s in range(first, times[-1] + 1, step):
        at = datetime.fromtimestamp(at_s, UTC)
        percent = round(100.0 * (at_s - times[0]) / span_s, 2)
        if 3.0 <= percent <= 97.0:
            yield Tick(f"{at:%d %b}" if step >= DAY_S or at_s % DAY_S == 0 else f"{at:%H:%M}", percent)
