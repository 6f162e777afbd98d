"""What the small multiples of a record show, as numbers: worked out where the record is, drawn wherever it suits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lightcollapse.compare import Comparison
    from lightcollapse.record import Record

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """One metric over generations. Arrays are float64 (generations + 1,); what is infinite is a gap, NaN.

    Attributes:
        title: what stands above it.
        generations: int64.
        mean: over replicates.
        means: both ends of the mean's 95 % interval, float64 (2, generations + 1); None for one replicate.
        chains: between which nine replicates in ten lie, the same.
        predicted: by theory; None where it says nothing.
        logarithmic: whether the axis is.
    """

    title: str
    generations: NDArray[np.int64]
    mean: Float
    means: Float | None
    chains: Float | None
    predicted: Float | None
    logarithmic: bool


def panels(record: Record, comparison: Comparison, metrics: Sequence[str] | None = None) -> list[Panel]:
    """A panel for each of `metrics`; None takes the family's most telling ones."""
    from lightcollapse.glossary import HEADLINES

    shown = metrics or [name for name in HEADLINES.get(record.scenario.family.kind, ()) if name in record.metrics]
    return [_panel(record, comparison, metric) for metric in shown or record.metrics]


def _panel(record: Record, comparison: Comparison, metric: str) -> Panel:
    from lightcollapse.glossary import label

    rows = sorted((row for row in comparison.rows if row.metric == metric), key=lambda row: row.generation)
    values = record.metrics[metric]
    mean, low, high = (np.array([getattr(row, name) for row in rows]) for name in ("mean", "ci_low", "ci_high"))
    predicted = np.array([np.nan if row.predicted is None else row.predicted for row in rows], dtype=float)
    several = len(values) > 1
    return Panel(
        title=label(metric),
        generations=np.array([row.generation for row in rows], dtype=np.int64),
        mean=finite(mean),
        means=finite(np.array([low, high])) if several else None,
        chains=finite(np.quantile(values, [0.05, 0.95], axis=0, method="inverted_cdf")) if several else None,
        predicted=None if np.isnan(predicted).all() else finite(predicted),
        logarithmic=_spans_decades(mean),
    )


def _spans_decades(mean: Float) -> bool:
    """Whether the means after generation 0 span three decades."""
    later = mean[1:][np.isfinite(mean[1:])]
    return bool(len(later) and later.min() > 0 and later.max() > 1e3 * later.min())


def finite(values: Float) -> Float:
    """Infinite values, which no axis can hold, as gaps."""
    return np.where(np.isfinite(values), values, np.nan)
