"""What a claim speaks about, from the mean curves of its cards: ratios, drops, delays, costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import CardError, nearest
from lightcollapse.reproduce.statistics import STANDARD_ERRORS, Estimate

Float = NDArray[np.float64]

_GROUPS = 20  # of replicates, for the jackknife


@dataclass(frozen=True)
class Ask:
    """What of a curve is asked for: at which generation, since which one, and at which level."""

    generation: int
    over: int = 0
    at: float = math.nan


def _until(curve: Float, ask: Ask) -> float:
    """Generations after `over` until the curve has `at` times what it had then, between points on a straight line;
    infinite where it never has.
    """
    share = curve[ask.over :] / curve[ask.over]
    past = share <= ask.at if ask.at < 1.0 else share >= ask.at
    if not past.any():
        return math.inf
    step = int(past.argmax())
    before, after = share[step - 1], share[step]
    return float(step - 1 + (ask.at - before) / (after - before))


def _late(curve: Float, ask: Ask) -> float:
    """The share of what changed until `generation` that changed after `over`."""
    return float((curve[ask.generation] - curve[ask.over]) / (curve[ask.generation] - curve[1]))


MEASURES: dict[str, Callable[[Float, Ask], float]] = {
    "level": lambda curve, ask: float(curve[ask.generation]),
    "ratio": lambda curve, ask: float(curve[ask.generation] / curve[ask.over]),
    "drop": lambda curve, ask: 1.0 - float(curve[ask.generation] / curve[ask.over]),
    "change": lambda curve, ask: float(curve[ask.generation] - curve[ask.over]),
    "total": lambda curve, ask: float(curve[1 : ask.generation].sum()),
    "until": _until,
    "late share": _late,
}

# What a measure of one card is compared with: the same of another card.
COMPARISONS: dict[str, Callable[[np.float64, np.float64], np.float64]] = {
    "times": lambda one, other: one / other,
    "less": lambda one, other: one - other,
    "rise": lambda one, other: one / other - 1.0,
}

# Curves that a record does not hold: name -> (metrics needed, their columns -> the curve). All (replicates, T + 1).
CURVES: dict[str, tuple[tuple[str, ...], Callable[..., Float]]] = {
    "cost": (("samples_drawn", "evaluations"), lambda drawn, judged: drawn + judged),
    "edge_cases_kept": (("edge_case_failure",), lambda failure: 1.0 - failure),
    "head_mass": (("tail_mass",), lambda tail: 1.0 - tail),
    "overlap": (("total_variation",), lambda distance: 1.0 - distance),
    "error": (("accuracy",), lambda accuracy: 1.0 - accuracy),
    "support_left": (("support",), lambda support: support / support[:, :1]),
}


def derives(metric: str, metrics: Mapping[str, Float]) -> bool:
    """Whether a curve of CURVES follows from these metrics."""
    return metric in CURVES and set(CURVES[metric][0]) <= set(metrics)


def column(metrics: Mapping[str, Float], metric: str) -> Float:
    """A curve of each replicate, float64 (replicates, generations + 1). Raises CardError where there is none."""
    if metric in metrics:
        return np.asarray(metrics[metric])
    if not derives(metric, metrics):
        known = [*metrics, *(name for name in CURVES if derives(name, metrics))]
        raise CardError(f"unknown metric {metric!r}; {nearest(metric, known)}")
    needs, function = CURVES[metric]
    with np.errstate(all="ignore"):
        return np.asarray(function(*(metrics[name] for name in needs)))


def estimate(
    columns: Mapping[str, Float], measure: str, ask: Ask, card: str, against: str | None, comparison: str
) -> Estimate:
    """A measure of mean curves with its jackknife interval; replicates of one number belong together.

    Args:
        columns: card -> (replicates, generations + 1).
        measure, comparison: names of MEASURES and COMPARISONS.
        ask: at which generation, and so on.
        card, against: which cards; None: no comparison.
    """

    def of(keep: NDArray[np.bool_]) -> float:
        with np.errstate(all="ignore"):
            value = np.float64(MEASURES[measure](columns[card][keep].mean(axis=0), ask))
            if against is None:
                return float(value)
            other = np.float64(MEASURES[measure](columns[against][keep].mean(axis=0), ask))
            return float(COMPARISONS[comparison](value, other))

    count = len(columns[card])
    value = of(np.ones(count, dtype=np.bool_))
    if count < 2:
        return Estimate(value, -math.inf, math.inf)
    groups = min(count, _GROUPS)
    group = np.arange(count) % groups
    without = np.array([of(group != part) for part in range(groups)])
    if not np.all(np.isfinite(without)) or not math.isfinite(value):
        same = bool(np.all(without == value))
        return Estimate(value, value if same else -math.inf, value if same else math.inf)
    error = math.sqrt((groups - 1) / groups * float(np.sum((without - without.mean()) ** 2)))
    return Estimate(value, value - STANDARD_ERRORS * error, value + STANDARD_ERRORS * error)
