"""What a run or a prediction looks like on a terminal, and as JSON rows."""

from __future__ import annotations

import math
import textwrap
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
_KINDS = {
    "exact law": "exact",
    "exact mean": "exact",
    "approximation": "about",
    "upper bound": "at most",
    "lower bound": "at least",
}


def head(*lines: str) -> str:
    """Lines above a table, without those that are empty, none wider than a terminal."""
    return "\n".join(textwrap.fill(clean(line), table.WIDTH, break_on_hyphens=False) for line in lines if line)


def as_dict(row: Any) -> dict[str, Any]:
    """A row of a comparison as JSON holds it."""
    return {name: getattr(row, name) for name in ROW}


def headlines(scenario: Scenario, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Metrics that a table shows: those asked for, else the family's most telling ones."""
    known = scenario.metrics
    for metric in asked:
        if metric not in known:
            raise CardError(f"this card has no metric {metric!r}; {nearest(metric, known)}")
    if asked:
        return tuple(asked)
    from lightcollapse.curation import COSTS

    of_family = HEADLINES.get(scenario.family.kind, scenario.family.metrics)
    others = [metric for metric in known if metric not in (*scenario.family.metrics, *COSTS)]
    costs = [metric for metric in COSTS if metric in known]
    return (*others, *of_family, *costs)


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
    columns = [(metric, [found[metric, t] for t in shown]) for metric in metrics]
    for digits, gap in ((2, " "), (1, " "), (1, "")):  # ever tighter
        blocks = [_generation(shown), *(_block(metric, column, digits, gap) for metric, column in columns)]
        if forced or table.width(blocks) <= table.WIDTH:
            return table.render(blocks)
    return table.render(_fitting(blocks))


def _fitting(blocks: Sequence[table.Block]) -> list[table.Block]:
    """The first blocks that fit a terminal, at least one beside the generations."""
    kept = list(blocks)
    while len(kept) > 2 and table.width(kept) > table.WIDTH:
        kept.pop()
    return kept


def predicted(rows: Sequence[dict[str, Any]], metrics: Sequence[str], generations: int, forced: bool = False) -> str:
    """The table of the theory alone, of metrics that all have a prediction."""
    found = {(row["metric"], row["generation"]): row for row in rows}
    shown = generations_shown(generations)
    blocks = [_generation(shown)]
    for metric in metrics:
        kind = str(found[metric, generations]["kind"])
        cells = tuple(f"{cell:>10}" for cell in _plain([found[metric, t]["predicted"] for t in shown]))
        blocks.append((table.Column(label(metric), _KINDS.get(kind, kind), cells, "cyan"),))
    return table.render(blocks if forced else _fitting(blocks))


def _plain(values: Sequence[float]) -> tuple[str, ...]:
    """Numbers of one column to about four digits of the smallest."""
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    if not sizes or max(sizes) > 1e5 * min(sizes):
        return tuple(map(table.number, values))
    return tuple(table.number(value, min(6, max(0, 3 - math.floor(math.log10(min(sizes)))))) for value in values)


def _generation(shown: Sequence[int]) -> table.Block:
    return (table.Column("gen.", "", tuple(map(str, shown))),)


def _block(metric: str, rows: Sequence[Any], digits: int, gap: str) -> table.Block:
    """Columns of one metric: mean with its interval, and the prediction."""
    places = _places(rows, digits)
    means = [table.number(row.mean, place) for row, place in zip(rows, places, strict=True)]
    spreads = [_spread(row, place) for row, place in zip(rows, places, strict=True)]
    columns = [table.Column(label(metric), "", _side_by_side(means, spreads, gap))]
    if any(row.predicted is not None for row in rows):
        cells = tuple(
            "" if row.predicted is None else table.number(row.predicted, place)
            for row, place in zip(rows, places, strict=True)
        )
        kind = str(rows[-1].kind)
        columns.append(table.Column(label(metric), _KINDS.get(kind, kind), cells, "cyan"))
    return tuple(columns)


def _places(rows: Sequence[Any], digits: int) -> list[int | None]:
    """Decimals of each row: so many digits of the middle interval, and at least one of the smallest.

    One number for the whole column, but where the metric spans many decades each row has its own.
    """
    halves = [_half(row) for row in rows]
    known = sorted(half for half in halves if half > 0)
    means = [abs(row.mean) for row in rows if row.mean != 0 and math.isfinite(row.mean)]
    if not known or not means or max(means) > 1e5 * min(means) or min(means) < 1e-4:
        return [table.decimals_of(half, digits) for half in halves]
    place = max(table.decimals_of(known[len(known) // 2], digits) or 0, table.decimals_of(known[0], 1) or 0)
    return [place] * len(rows)


def _half(row: Any) -> float:
    """Half of the interval's width; 0 where there is none but what rounding leaves."""
    half = (row.ci_high - row.ci_low) / 2
    return half if math.isfinite(half) and half > 1e-12 * abs(row.mean) else 0.0


def _side_by_side(means: Sequence[str], spreads: Sequence[str], gap: str) -> tuple[str, ...]:
    """Means and spreads in one column, each lined up."""
    wide = max(map(len, spreads))
    return tuple(mean + (gap + spread.rjust(wide) if wide else "") for mean, spread in zip(means, spreads, strict=True))


def _spread(row: Any, place: int | None) -> str:
    """`±0.003` where the interval is symmetric about the mean, else its two ends."""
    half = _half(row)
    if half == 0:
        return ""
    if abs((row.ci_low + row.ci_high) / 2 - row.mean) <= 0.02 * half:
        return f"±{table.number(half, place)}"
    return f"[{table.number(row.ci_low, place)}, {table.number(row.ci_high, place)}]"


def excerpts(texts: Sequence[str]) -> str:
    """A few words that each generation wrote, a line a generation."""
    lines = ["What each generation wrote (replicate 0; 0 is human):"]
    lines += [f"{t:4d}  {table.shorten(clean(text), table.WIDTH - 6)}" for t, text in enumerate(texts)]
    return "\n".join(lines)


def legend(comparison: Any, replicates: int) -> str:
    """What the columns are, and how simulation and theory agree."""
    lines = [
        f"mean ±half of its 95 % interval over {replicates:,} replicates"
        if replicates > 1
        else "one replicate: no interval"
    ]
    worst = comparison.worst
    if worst is not None:
        lines.append(
            f"theory: {comparison.checks} predictions tested, p = {comparison.p_value:.2g} for all together\n"
            f"        (least p {worst.p_value:.2g}: {worst.metric}, generation {worst.generation})"
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
            "theorem": predictions[metric].theorem.name,
        }
        for metric in metrics
        if metric in predictions
        for generation, value in enumerate(predictions[metric].values)
    ]
