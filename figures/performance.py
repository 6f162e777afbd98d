"""What this machine takes beside what a user would pick instead, beside its limits, by size and by threads.

`python -m tests.benchmarks --publish` measures anew what is drawn here, and draws it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from lightcollapse.gallery import publish
from lightcollapse.plot import BLACK, BLUE, STYLE, VERMILLION, WIDE

DATA = Path(__file__).with_suffix(".json")
MEASURED = json.loads(DATA.read_text(encoding="utf-8"))
RECIPE = {
    "data": DATA.name,
    "sha256": hashlib.sha256(DATA.read_bytes()).hexdigest(),
    "machine": {key: value for key, value in MEASURED["machine"].items() if not key.startswith("load")},
}
SHOWN = ("gaussian", "gaussian-mixture", "categorical", "ngram", "linear-regression", "kernel-density")
STYLES = ("-o", "-s", "-^", "-D", "-v", "-P")
COLOURS = (BLACK, "#E69F00", "#56B4E9", "#009E73", BLUE, VERMILLION)
GREY = "#999999"
ROW, ABOVE, BELOW, RIGHT, GAP = 0.14, 0.3, 0.42, 0.12, 0.3  # inches: of a line of names, and around panels
HEAD, LEAST = ABOVE + BELOW, 5.6


def figure(quick: bool = False) -> Figure:
    """The figure; it is quick as it is."""
    raced = [row for row in MEASURED["rows"] if row["theirs"] and row["benchmark"] != "published"]
    published = [row for row in MEASURED["rows"] if row["theirs"] and row["benchmark"] == "published"]
    heights = [ROW * len(raced) + HEAD, max(ROW * len(published) + HEAD, LEAST)]
    with rc_context(STYLE):
        drawing = Figure(figsize=(WIDE, sum(heights)))
        ratios, limits = _panels(drawing, heights, 0, (2.15, 1.3))
        _ratios(ratios, raced)
        _limits(limits, raced)
        loops, right = _panels(drawing, heights, 1, (1.0, 2.0))
        _ratios(loops, published)
        loops.set_title("published experiments")
        if MEASURED["cost"]:
            size, threads = _split(drawing, right)
            _sizes(size)
            _threads(threads)
        else:
            right.set_axis_off()
    return drawing


def _panels(drawing: Figure, heights: list[float], row: int, widths: tuple[float, float]) -> tuple[Axes, Axes]:
    """Two panels beside each other, placed in inches: the names stand left of the first."""
    whole = sum(heights)
    bottom = (whole - sum(heights[: row + 1]) + BELOW) / whole
    height = (heights[row] - BELOW - ABOVE) / whole
    last = 1.0 - (widths[1] + RIGHT) / WIDE
    first = last - (widths[0] + (GAP if row == 0 else 2 * GAP)) / WIDE
    return (
        drawing.add_axes((first, bottom, widths[0] / WIDE, height)),
        drawing.add_axes((last, bottom, widths[1] / WIDE, height)),
    )


def _split(drawing: Figure, axis: Axes) -> tuple[Axes, Axes]:
    """Two panels, one above the other, in the place of one."""
    box = axis.get_position()
    axis.remove()
    between = (BELOW + ABOVE) / drawing.get_size_inches()[1]
    half = (box.height - between) / 2
    return (
        drawing.add_axes((box.x0, box.y0 + half + between, box.width, half)),
        drawing.add_axes((box.x0 + 0.05, box.y0, box.width - 0.05, half)),
    )


def _ratios(axis: Axes, rows: list[dict[str, Any]]) -> None:
    """Peers' times over ours, with the goals."""
    names = [f"{row['label']} | {row['peer'].split(',')[0]}" for row in rows]
    for place, row in enumerate(rows):
        if row["ratio"] is None:
            continue
        missed = row["met"] is False
        axis.plot(
            row["ratio"], place, "o", color=VERMILLION if missed else BLUE, markersize=4,
            markerfacecolor="white" if missed else BLUE,
        )  # fmt: skip
    goals = [(place, row["goal"]) for place, row in enumerate(rows) if row["goal"]]
    if goals:
        axis.plot([goal for _, goal in goals], [place for place, _ in goals], "|", color=BLACK, markersize=7)
        _legend(axis)
    axis.axvline(1.0, color=GREY, linewidth=0.6)
    axis.set(xscale="log", ylim=(len(rows) - 0.4, -0.6), yticks=range(len(rows)), yticklabels=names)
    axis.set(xlabel="peer's time / ours", title="against what a user would pick instead")
    axis.tick_params(axis="y", length=0, labelsize=6)
    axis.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.4)
    _plain(axis, "x")


def _legend(axis: Axes) -> None:
    axis.plot([], [], "o", color=BLUE, markersize=4, label="goal met, or none")
    axis.plot([], [], "o", color=VERMILLION, markerfacecolor="white", markersize=4, label="goal missed")
    axis.plot([], [], "|", color=BLACK, markersize=7, label="goal")
    axis.legend(loc="upper right", bbox_to_anchor=(-0.02, 0.01), fontsize=6)


def _limits(axis: Axes, rows: list[dict[str, Any]]) -> None:
    """Our times over the least that this machine could take, once for each work."""
    seen = set()
    for place, row in enumerate(rows):
        if row["distance"] is None or row["work"] in seen:
            continue
        seen.add(row["work"])
        axis.plot(row["distance"], place, "s", color=BLACK, markersize=3.5)
    axis.axvline(1.0, color=GREY, linewidth=0.6)
    axis.set(xscale="log", xlabel="our time / the limit's", title="distance to the limit")
    axis.set(ylim=(len(rows) - 0.4, -0.6), yticks=range(len(rows)))
    axis.tick_params(axis="y", length=0, labelleft=False)
    axis.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.4)
    _plain(axis, "x")


def _families() -> dict[str, dict[int, list[float]]]:
    """The first line of each family: size -> nanoseconds a point: processor and clock of one thread, clock of two."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in MEASURED["cost"]:
        family = row["name"].split()[0]
        if family not in found and "+" not in row["name"]:
            found[family] = {int(size): pair for size, pair in row["nanoseconds_a_point"].items() if pair}
    return found


def _sizes(axis: Axes) -> None:
    """Cost of a point by the size of the training set."""
    for family, costs in sorted(_families().items(), key=lambda item: item[0] in SHOWN):
        x = np.array(sorted(costs))
        y = np.array([costs[size][0] for size in sorted(costs)])
        if family in SHOWN:
            place = SHOWN.index(family)
            axis.plot(x, y, STYLES[place], color=COLOURS[place], markersize=3, label=family)
        else:
            axis.plot(x, y, color=GREY, linewidth=0.6, alpha=0.7)
    axis.plot([], [], color=GREY, linewidth=0.6, label="other families")
    axis.set(
        xscale="log", yscale="log", xlabel="training set, points", ylabel="ns a point", title="by size, one thread"
    )
    axis.set_ylim(top=3000.0 * axis.get_ylim()[1])
    axis.legend(fontsize=5.5, ncols=2, loc="upper right", handlelength=1.2, columnspacing=0.8)


def _threads(axis: Axes) -> None:
    """How much faster two threads are, at the largest size."""
    gains = [(name, costs[max(costs)][1] / costs[max(costs)][2]) for name, costs in _families().items() if costs]
    gains.sort(key=lambda item: item[1])
    axis.barh(range(len(gains)), [gain for _, gain in gains], color=BLUE, height=0.6)
    axis.axvline(1.0, color=GREY, linewidth=0.6)
    axis.axvline(2.0, color=GREY, linewidth=0.6, linestyle=(0, (4, 2)))
    axis.set(yticks=range(len(gains)), yticklabels=[name for name, _ in gains], xlabel="one thread's time / two's")
    axis.set_title("two threads")
    axis.tick_params(axis="y", length=0, labelsize=6)


def _plain(axis: Axes, which: str) -> None:
    """Numbers, not powers, on a logarithmic axis."""
    of = getattr(axis, f"{which}axis")
    of.set_major_locator(LogLocator(10.0, subs=(1.0,)))
    formatter = ScalarFormatter()
    formatter.set_scientific(False)
    of.set_major_formatter(formatter)
    of.set_minor_formatter(NullFormatter())


if __name__ == "__main__":
    publish(__file__)
