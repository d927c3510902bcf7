"""A soak as a picture: a column a server, a row a matter, over the time that it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

from tests.soak.disturbing import Happening
from tests.soak.record import Sample
from tests.strain.process_tree import MONITOR, RESPONDER, SUPERVISOR
from tests.strain.truth import NSID, PLAIN, TCP

COLOURS = {
    SUPERVISOR: "#3b5bdb", RESPONDER: "#2b8a3e", MONITOR: "#e8590c", "other": "#868e96",
    PLAIN: "#2b8a3e", NSID: "#3b5bdb", TCP: "#e8590c",
}  # fmt: skip
HARM = ("killed", "stopped")
MINUTE_S = 60.0

Draw = Callable[[Any, Sequence[Sample]], None]


def _minutes(samples: Sequence[Sample]) -> list[float]:
    return [one.at_s / MINUTE_S for one in samples]


def _by_process(read: Callable[[Any], float]) -> Draw:
    """Return what draws a line for each process, coloured by its role."""

    def draw(axes: Any, samples: Sequence[Sample]) -> None:
        lines: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for sample in samples:
            for one in sample.processes:
                lines.setdefault((one.role, one.pid), []).append((sample.at_s / MINUTE_S, read(one)))
        labelled = set()
        for (role, _), points in sorted(lines.items()):
            axes.plot(*zip(*points, strict=True), color=COLOURS[role], linewidth=1.2,
                      label=None if role in labelled else role)  # fmt: skip
            labelled.add(role)
        axes.set_ylim(bottom=0)

    return draw


def _memory(axes: Any, samples: Sequence[Sample]) -> None:
    totals = [sum(one.pss_kib for one in sample.processes) / 1024 for sample in samples]
    axes.plot(_minutes(samples), totals, "--", color="#495057", linewidth=1.0, label="all, proportional")
    _by_process(lambda one: one.own_kib / 1024)(axes, samples)


def _cpu(axes: Any, samples: Sequence[Sample]) -> None:
    counted = [one for one in samples if one.cpu_percent]
    for role in (SUPERVISOR, RESPONDER, MONITOR):
        shares = [one.cpu_percent.get(role, 0.0) for one in counted]
        axes.plot(_minutes(counted), shares, color=COLOURS[role], linewidth=1.0, label=role)
    axes.set_ylim(bottom=0)


def _latency(axes: Any, samples: Sequence[Sample]) -> None:
    for road in (PLAIN, NSID, TCP):
        told = [one for one in samples if one.latencies_ms[road]]
        for place, style in ((0, "-"), (1, ":")):
            axes.plot(_minutes(told), [one.latencies_ms[road][place] for one in told], style, color=COLOURS[road],
                      linewidth=1.2, label=f"{road} {('median', '99 %')[place]}")  # fmt: skip
        axes.plot(_minutes(told), [one.latencies_ms[road][2] for one in told], ".", color=COLOURS[road],
                  markersize=2.5, alpha=0.6, label=f"{road} slowest")  # fmt: skip
    axes.set_yscale("log")


def _amiss(axes: Any, samples: Sequence[Sample]) -> None:
    axes.step(_minutes(samples), [one.lost for one in samples], color="#c92a2a", linewidth=1.2, label="lost")
    axes.step(_minutes(samples), [one.wrong for one in samples], color="#862e9c", linewidth=1.2, label="wrong")
    axes.set_ylim(0, max(4, *(max(one.lost, one.wrong) for one in samples)) * 1.1)


def _sizes(axes: Any, samples: Sequence[Sample]) -> None:
    axes.plot(_minutes(samples), [one.run_kib / 1024 for one in samples], color="#3b5bdb", label="shared memory")
    axes.plot(_minutes(samples), [one.state_kib / 1024 for one in samples], color="#e8590c", label="state directory")
    axes.set_ylim(bottom=0)


ROWS: tuple[tuple[str, Draw], ...] = (
    ("own memory, MiB\n(a line a process)", _memory),
    ("descriptors\n(a line a process)", _by_process(lambda one: one.descriptors)),
    ("threads\n(a line a process)", _by_process(lambda one: one.threads)),
    ("processor,\n% of a core", _cpu),
    ("latency, ms", _latency),
    ("lost and wrong\na sample", _amiss),
    ("files, MiB", _sizes),
)


def draw(samples: Sequence[Sample], happenings: Sequence[tuple[float, Happening]], title: str, paths: Sequence[Path]):  # type: ignore[no-untyped-def]
    """Write the picture to each of `paths`, in the format that its name says."""
    servers = list(dict.fromkeys(one.server for one in samples))
    figure, grid = pyplot.subplots(
        len(ROWS), len(servers), figsize=(8 * len(servers), 2.3 * len(ROWS)), sharex=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for column, server in enumerate(servers):
        mine = [one for one in samples if one.server == server]
        harmed = [at_s / MINUTE_S for at_s, one in happenings if one.server == server and one.what.endswith(HARM)]
        for row, (label, draw_row) in enumerate(ROWS):
            axes = grid[row][column]
            for at in harmed:
                axes.axvline(at, color="#000000", alpha=0.12, linewidth=0.8, zorder=0)
            draw_row(axes, mine)
            axes.grid(axis="y", alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            if column == 0:
                axes.set_ylabel(label)
            if column == len(servers) - 1:
                axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
        what = ", processes killed and stopped at the grey lines" if harmed else ", no process harmed"
        grid[0][column].set_title(f"serves {server}{what}", fontsize=11)
        grid[-1][column].set_xlabel("minutes")
    figure.suptitle(title, fontsize=13)
    for path in paths:
        figure.savefig(path, dpi=110)
    pyplot.close(figure)
