"""What a run or a prediction looks like on a terminal, and as JSON rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lightcollapse.cli import table
from lightcollapse.cli.output import clean
from lightcollapse.errors import CardError, nearest
from lightcollapse.glossary import HEADLINES, label

if TYPE_CHECKING:
    from lightcollapse.scenario import Scenario

ROW = ("metric", "generation", "mean", "ci_low", "ci_high", "median", "predicted", "kind", "p_value")
_ALL_ROWS = 60  # a longer recursion shows the first ten generations and about fifty of the others
_KINDS = {"exact": "exact", "approximate": "approx.", "bound": "bound"}


def as_dict(row: Any) -> dict[str, Any]:
    """A row of a comparison as JSON holds it."""
    return {name: getattr(row, name) for name in ROW}


def headlines(scenario: Scenario, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Metrics that a table shows: those asked for, else the family's most telling ones."""
    known = scenario.family.metrics
    for metric in asked:
        if metric not in known:
            raise CardError(f"family {scenario.family.kind} has no metric {metric!r}; {nearest(metric, known)}")
    return tuple(asked) or tuple(metric for metric in HEADLINES.get(scenario.family.kind, known) if metric in known)


def generations_shown(generations: int) -> list[int]:
    """Every generation, or of a long recursion about sixty, the first and the last among them."""
    if generations <= _ALL_ROWS:
        return list(range(generations + 1))
    step = math.ceil((generations - 10) / 50)
    return sorted({*range(10), *range(generations, 9, -step)})


def simulated(rows: Iterable[Any], metrics: Sequence[str], generations: int, forced: bool = False) -> str:
    """The table of a run: mean and half its interval, and the prediction beside each metric that has one.

    Metrics that would make it wider than a terminal are left out from the last, unless they were asked for.
    """
    found = {(row.metric, row.generation): row for row in rows}
    shown = generations_shown(generations)
    blocks = [_generation(shown)]
    for metric in metrics:
        column = [found[metric, t] for t in shown if (metric, t) in found]
        if len(column) != len(shown):
            continue
        block = _block(metric, column)
        if forced or len(blocks) == 1 or table.width([*blocks, block]) <= table.WIDTH:
            blocks.append(block)
    return table.render(blocks)


def predicted(rows: Sequence[dict[str, Any]], metrics: Sequence[str], generations: int, forced: bool = False) -> str:
    """The table of the theory alone."""
    found = {(row["metric"], row["generation"]): row for row in rows}
    shown = generations_shown(generations)
    blocks = [_generation(shown)]
    for metric in metrics:
        column = [found[metric, t] for t in shown if (metric, t) in found]
        if len(column) != len(shown):
            continue
        cells = tuple(_plain([row["predicted"] for row in column]))
        block = (table.Column(label(metric), _KINDS.get(column[-1]["kind"], ""), cells, "cyan"),)
        if forced or len(blocks) == 1 or table.width([*blocks, block]) <= table.WIDTH:
            blocks.append(block)
    return table.render(blocks)


def _plain(values: Sequence[float | None]) -> list[str]:
    return ["" if value is None else table.number(value) for value in values]


def _generation(shown: Sequence[int]) -> table.Block:
    return (table.Column("gen.", "", tuple(map(str, shown))),)


def _block(metric: str, rows: Sequence[Any]) -> table.Block:
    """Columns of one metric: mean, interval, prediction."""
    halves = [(row.ci_high - row.ci_low) / 2 for row in rows]
    places = [table.decimals_of(half) for half in halves]
    means = tuple(table.number(row.mean, place) for row, place in zip(rows, places, strict=True))
    spreads = tuple(_spread(row, half, place) for row, half, place in zip(rows, halves, places, strict=True))
    columns = [table.Column(label(metric), "", tuple(f"{m} {s}".rstrip() if s else m for m, s in _padded(means, spreads)))]
    if any(row.predicted is not None for row in rows):
        cells = tuple(
            "" if row.predicted is None else table.number(row.predicted, place)
            for row, place in zip(rows, places, strict=True)
        )
        kind = next(row.kind for row in reversed(rows) if row.predicted is not None)
        columns.append(table.Column(label(metric), _KINDS.get(str(kind), str(kind)), cells, "cyan"))
    return tuple(columns)


def _padded(means: Sequence[str], spreads: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Means and spreads with the sign of all spreads in one column."""
    wide = max(map(len, spreads))
    for mean, spread in zip(means, spreads, strict=True):
        yield mean + (" " * (wide + 1) if wide and not spread else ""), spread.ljust(wide)


def _spread(row: Any, half: float, place: int | None) -> str:
    """`±0.003` where the interval is symmetric about the mean, else its two ends."""
    if not math.isfinite(half) or half <= 0:
        return ""
    if abs((row.ci_low + row.ci_high) / 2 - row.mean) <= 0.02 * half:
        return f"±{table.number(half, place)}"
    return f"[{table.number(row.ci_low, place)}, {table.number(row.ci_high, place)}]"


def excerpts(texts: Sequence[str]) -> str:
    """A few words that each generation wrote, a line a generation."""
    lines = ["What each generation wrote (replicate 0; 0 is human):"]
    lines += [f"{t:4d}  {table.shorten(clean(text), table.WIDTH - 6)}" for t, text in enumerate(texts)]
    return "\n".join(lines)


def legend(rows: Sequence[Any], replicates: int) -> str:
    """What the columns are, and how simulation and theory agree."""
    lines = []
    if replicates > 1:
        lines.append(f"mean ±half of its 95 % interval over {replicates:,} replicates")
    else:
        lines.append("one replicate: no interval")
    checks = [row for row in rows if row.p_value is not None and row.generation > 0]
    if checks:
        worst = min(checks, key=lambda row: row.p_value)
        lines.append(
            f"theory: {len(checks)} predictions tested, smallest p {worst.p_value:.2g} "
            f"({worst.metric}, generation {worst.generation}), "
            f"{min(1.0, worst.p_value * len(checks)):.2g} for all of them together"
        )
    return "\n".join(lines)


def prediction_rows(predictions: Any, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of `predict --json`: metric, generation, predicted, kind, theorem."""
    return [
        {
            "metric": metric,
            "generation": generation,
            "predicted": float(value),
            "kind": predictions[metric].kind,
            "theorem": predictions[metric].theorem,
        }
        for metric in metrics
        if metric in predictions
        for generation, value in enumerate(predictions[metric].values)
    ]
