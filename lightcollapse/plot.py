"""Figures: small multiples of a record, and files that carry their recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightcollapse.glossary import label
from lightcollapse.panels import Panel, finite, panels
from lightcollapse.replacing import replacing

if TYPE_CHECKING:
    from lightcollapse.compare import Comparison
    from lightcollapse.forecasting import Forecast
    from lightcollapse.planning import Plan
    from lightcollapse.record import Record

WIDE = 6.8  # inches: two columns of a paper
BLUE, VERMILLION, BLACK = "#0072B2", "#D55E00", "#000000"  # of Okabe and Ito
COLOURS = (BLUE, VERMILLION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", BLACK)  # the same, told apart by all eyes
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # the second channel beside colour
_PANEL, _LEGEND = 1.9, 0.25  # inches: height of a row of panels, and of the legend above them
_LEFT, _RIGHT, _ABOVE, _BELOW = 0.52, 0.1, 0.22, 0.42  # inches around each panel
_TICKS = 0.25  # inches: height of the generations below a panel

STYLE: Any = {
    "text.usetex": False,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that the bytes do not depend on the machine's fonts
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "svg.hashsalt": "lightcollapse",  # else the ids differ from process to process
    "svg.fonttype": "path",
    "pdf.compression": 6,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
}

_MORE: dict[str, dict[str, Any]] = {"png": {"pil_kwargs": {"compress_level": 3}}}  # 6 takes half as long again, for 5 %


def plot(record: Record, comparison: Comparison | None = None, metrics: Sequence[str] | None = None) -> Figure:
    """Small multiples: each metric over generations, simulated and predicted.

    The line is the mean over replicates, the dark band its 95 % interval, the light band holds nine chains in ten; the
    prediction is dashed.

    Args:
        record: what was simulated.
        comparison: the same with the theory; None computes it.
        metrics: which metrics; None takes the family's most telling ones.
    """
    from lightcollapse.compare import compare

    comparison = compare(record, test=False) if comparison is None else comparison
    return draw(panels(record, comparison, metrics))


def draw(shown: Sequence[Panel]) -> Figure:
    """The small multiples, at most three beside one another."""
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDE, _PANEL * rows + _LEGEND))
        axes = figure.subplots(rows, columns, squeeze=False)
        for axis, panel in zip(axes.flat, shown, strict=False):
            _draw_panel(axis, panel)
        for axis in axes.flat[len(shown) :]:
            axis.set_visible(False)
        for axis in axes.flat[max(0, len(shown) - columns) : len(shown)]:
            axis.set_xlabel("generation")
        pairs = [zip(*axis.get_legend_handles_labels(), strict=True) for axis in axes.flat]
        handles = {text: handle for pair in pairs for handle, text in pair}
        figure.legend(handles.values(), handles.keys(), loc="upper center", ncols=4)
        _arrange(figure, rows, columns)
    return figure


def _arrange(figure: Figure, rows: int, columns: int) -> None:
    """Place panels and labels by known sizes: to find them by drawing would take as long as the rest of the figure."""
    width, height = figure.get_size_inches()
    panel = (width - columns * _LEFT - _RIGHT) / columns
    inner = (height - _LEGEND - rows * (_ABOVE + _BELOW)) / rows
    figure.subplots_adjust(
        left=_LEFT / width,
        right=1 - _RIGHT / width,
        top=1 - (_LEGEND + _ABOVE) / height,
        bottom=_BELOW / height,
        wspace=_LEFT / panel,
        hspace=(_ABOVE + _BELOW) / inner,
    )
    for axis in figure.axes:
        axis.xaxis.set_label_coords(0.5, -_TICKS / inner)
        axis.yaxis.set_label_coords(0.0, 0.5)  # there is none, and it would be placed nevertheless
        if not _may_have_offset(axis):
            axis.set_title(axis.get_title(), y=1.0)


def _may_have_offset(axis: Axes) -> bool:
    """Whether something such as 1e-7 may stand above the axis of values, which the title has to leave alone."""
    low, high = axis.get_ylim()
    largest = max(abs(low), abs(high))
    return axis.get_yscale() == "linear" and not (1e-3 < largest < 1e5 and high - low > 0.1 * largest)


def _draw_panel(axis: Axes, panel: Panel) -> None:
    """One metric over generations."""
    t = panel.generations
    if panel.chains is not None:
        axis.fill_between(t, *panel.chains, color=BLUE, alpha=0.15, linewidth=0, label="90 % of chains")
    if panel.means is not None:
        axis.fill_between(t, *panel.means, color=BLUE, alpha=0.45, linewidth=0, label="95 % interval")
    few = len(t) <= 12
    axis.plot(t, panel.mean, color=BLUE, marker="o" if few else None, markersize=3, label="simulated mean")
    if panel.predicted is not None:
        axis.plot(t, panel.predicted, color=VERMILLION, linestyle=(0, (4, 2)), label="theory")
    axis.set_title(panel.title)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.margins(x=0.02)
    if panel.logarithmic:
        axis.set_yscale("log")


@contextmanager
def sheet(rows: int = 1, columns: int = 1, height: float = 2.6) -> Iterator[tuple[Figure, Any]]:
    """A figure two columns wide in the house's style, and its axes as an object array (rows, columns).

    Args:
        rows: rows of panels.
        columns: columns of panels.
        height: of each row, inches.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDE, height * rows), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False)


def contrast(
    axis: Axes, records: Mapping[str, Record], metric: str, *, dots: int = 11, band: bool = False, first: int = 0
) -> None:
    """One metric of several records in one panel: dots with 95 % intervals are simulated, lines are the theory.

    Args:
        axis: where to draw.
        records: what was simulated, by the name it has in the legend.
        metric: which metric.
        dots: at most so many generations of each record are dotted.
        band: show where nine replicates in ten lie.
        first: the generation to begin with; where it is not 0, the dots are as far apart as on a logarithmic axis.
    """
    from lightcollapse.compare import interval
    from lightcollapse.theorems import predict

    for order, (name, record) in enumerate(records.items()):
        colour, values = COLOURS[order % len(COLOURS)], record.metrics[metric]
        t = np.arange(first, values.shape[1])
        if band:
            lowest, highest = finite(np.quantile(values[:, t], [0.05, 0.95], axis=0, method="inverted_cdf"))
            axis.fill_between(t, lowest, highest, color=colour, alpha=0.15, linewidth=0)
        prediction = predict(record.scenario, record.seed, (metric,)).get(metric)
        if prediction is not None:
            axis.plot(t, finite(prediction.values[t]), color=colour)
        spread = np.geomspace(first, t[-1], dots) if first else np.linspace(first, t[-1], dots)
        shown = np.unique(spread.round().astype(int))
        mean, low, high = finite(np.array([interval(values[:, one]) for one in shown])).T
        axis.errorbar(
            shown,
            mean,
            np.maximum(0.0, [mean - low, high - mean]),
            color=colour,
            marker=MARKERS[order % len(MARKERS)],
            markersize=3.5,
            linestyle="none",
            elinewidth=0.8,
            label=name,
        )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.set(xlabel="generation", ylabel=label(metric))


_DASHES = (0, (4, 2))


def plan_curve(plan: Plan) -> Figure:
    """What a plan's targets keep against fresh human tokens a generation, or against their cost where it is known.

    Pooled and weighted training, one panel a target; the dashed line is what is wanted.
    """
    wanted = {need.target: need.wanted for need in plan.needs}
    priced = all(point.cost is not None for point in plan.curve)
    columns = min(2, len(wanted))
    with sheet(-(-len(wanted) // columns), columns) as (figure, axes):
        for axis, (target, limit) in zip(axes.flat, wanted.items(), strict=False):
            for kind, colour, marker in zip(("pooled", "weighted"), COLOURS, MARKERS, strict=False):
                points = [point for point in plan.curve if point.training == kind and point.tokens]
                x = [point.cost if priced else point.tokens for point in points]
                y = [point.kept[target] for point in points]
                axis.plot(np.array(x, dtype=float), y, color=colour, marker=marker, markersize=3, label=kind)
            axis.axhline(limit, color=BLACK, linewidth=0.8, linestyle=_DASHES, label="wanted")
            axis.set_xscale("log")
            axis.set_xlabel("cost" if priced else "fresh human tokens a generation")
            axis.set_ylabel("KL from human text (nats)" if target == "kl" else f"{target} kept")
        for axis in axes.flat[len(wanted) :]:
            axis.set_visible(False)
        axes[0, 0].legend()
    return figure


def forecast_course(forecast: Forecast, metrics: Sequence[str] | None = None) -> Figure:
    """A forecast's lines and 95 % bands over generations; grey from the generation on beyond which it is not trusted.

    Args:
        forecast: what was made.
        metrics: which metrics; None takes the main ones.
    """
    given = {row.metric for row in forecast.rows if row.value is not None}
    shown = [name for name in metrics or ("support", "entropy", "heterozygosity", "kl") if name in given]
    columns = min(2, max(len(shown), 1))
    with sheet(-(-len(shown) // columns) or 1, columns) as (figure, axes):
        for axis, metric in zip(axes.flat, shown, strict=False):
            rows = [row for row in forecast.rows if row.metric == metric]
            t, value, low, high = np.array(
                [[row.generation, row.value, row.ci_low, row.ci_high] for row in rows], dtype=float
            ).T
            axis.fill_between(t, low, high, color=BLUE, alpha=0.25, linewidth=0, label="95 % of runs")
            axis.plot(t, value, color=BLUE, label="forecast")
            if forecast.trusted < t[-1]:
                axis.axvspan(forecast.trusted, t[-1], color="0.85", alpha=0.6, linewidth=0, label="not trusted")
            shown_as = (
                "KL from human text (nats)"
                if metric == "kl"
                else metric
                if metric.startswith("kept_")
                else label(metric)
            )
            axis.set(xlabel="generation", ylabel=shown_as)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        for axis in axes.flat[len(shown) :]:
            axis.set_visible(False)
        axes[0, 0].legend()
    return figure


def save(
    figure: Figure,
    stem: str | os.PathLike[str],
    recipe: Mapping[str, Any],
    formats: Sequence[str] = ("png", "svg", "pdf"),
) -> list[Path]:
    """Write the figure as STEM.png, STEM.svg, STEM.pdf, each whole or not at all, with its recipe inside.

    The recipe is JSON: `Description` of a PNG, `dc:description` of an SVG, `Subject` of a PDF. The same figure gives
    the same bytes in every process. Raises LightcollapseError where a file cannot be written.
    """
    text = json.dumps(recipe, ensure_ascii=True, sort_keys=True)
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Description": text, "Software": None},
        "svg": {"Description": text, "Date": None, "Creator": "lightcollapse"},
        "pdf": {"Subject": text, "CreationDate": None, "Creator": "lightcollapse", "Producer": None},
    }
    paths = []
    for kind in formats:
        target = Path(f"{os.fspath(stem)}.{kind}")
        with replacing(target) as temporary, rc_context(STYLE):
            figure.savefig(temporary, format=kind, metadata=metadata[kind], **_MORE.get(kind, {}))
        paths.append(target)
    return paths
