"""Means and second moments of points in any data regime: covariances of pairs of points, followed exactly.

Units: the source has mean 0 and variance 1. A model's mean is the (weighted) mean of its training set; what one of its
points has for a second moment is up to the family, as a linear function of two numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lightcollapse.predictions._checks import Float, require
from lightcollapse.predictions.pairs import _Batches, _Reads, _tidy, _weights
from lightcollapse.schedule import ALL, REAL, Schedule

# (Var of the model's mean, second moment of a training point, training points) -> second moment of a written point.
Writer = Callable[[float, float, float], float]


class Spread(NamedTuple):
    """Var of the model's mean, and E of the model's own variance: float64 (generations + 1,)."""

    of_mean: Float
    within: Float


class _Fit(NamedTuple):
    of_mean: float  # Var of the model's mean
    point: float  # second moment of a (weighted) training point
    size: float  # points in the training set
    between: Float  # Cov of the model's mean with a point of each batch


def follow(schedule: Schedule, writer: Writer) -> Spread:
    """Var of model t's mean and E of its variance, for any schedule of one lab without tilted data.

    Raises ValueError when a row takes more points than its pool holds, describes an empty training set, has several
    labs, or a bias.
    """
    schedule = np.atleast_1d(schedule)
    require(not np.any(schedule["labs"] > 1), "points of one lab are followed", "several labs")
    require(not np.any(schedule["bias"] != 0.0), "fresh data must not be tilted", "a bias")
    reads = _Reads.of(schedule)
    batches = _Batches()  # `diversity` holds covariances of two distinct points here, `tilted` second moments
    real_points = int(schedule["fresh"][0]) if len(schedule) else 0
    first = schedule[:1].copy()
    if len(schedule) > 1 and (reads.anchored[1] or reads.oldest[1] == REAL):
        batches.add(REAL, real_points, 1.0, 0.0, np.zeros(0))
        first["fresh"], first["anchor"] = 0, ALL  # training set 1 is the first real sample
    values = [(0.0, 1.0)]
    for index in range(len(schedule)):
        generation = index + 1
        fit = _refit(batches, schedule[index] if index else first[0], generation, real_points)
        second = writer(fit.of_mean, fit.point, fit.size)
        values.append((fit.of_mean, second - fit.of_mean))
        written = int(schedule["sample"][generation]) if generation < len(schedule) else 0
        if written > 0:
            batches.add(generation, written, second, fit.of_mean, fit.between)
        _tidy(batches, generation, reads)
    return Spread(*np.array(values).T)


def _refit(batches: _Batches, row: np.void, generation: int, real_points: int) -> _Fit:
    fresh = float(row["fresh"])
    anchor = float(real_points if row["anchor"] == ALL else row["anchor"])
    require(anchor <= real_points, f"anchor must not exceed the {real_points} points of the first real sample", anchor)
    newest = np.array(batches.newest, dtype=np.int64)
    pool = batches.points * ((newest >= row["oldest"]) & (newest < generation))
    pooled = float(pool.sum())
    taken = pooled if row["take"] == ALL else float(row["take"])
    require(taken <= pooled, f"take must not exceed the pool of {pooled:.0f} points in row {generation}", taken)
    require(fresh + anchor + taken > 0, "a training set must hold at least one point", f"none in row {generation}")
    w_fresh, w_anchor, w_pool = _weights(fresh, anchor, taken, float(row["weight"]))

    drawn = batches.diversity.copy()  # two points drawn independently: the same one may come twice
    place = np.arange(len(newest))
    drawn[place, place] += (batches.tilted - drawn[place, place]) / batches.points
    share = pool / pooled if pooled else pool
    own = float(share @ batches.tilted)
    between, of_mean = w_pool * (share @ drawn), 0.0
    if w_fresh:
        of_mean += w_fresh**2 / fresh
    if w_anchor:
        real_row = drawn[batches.newest.index(REAL)]
        of_mean += w_anchor**2 / anchor + 2.0 * w_anchor * w_pool * float(real_row @ share)
        between = between + w_anchor * real_row
    if w_pool:
        alike = float(share @ drawn @ share)
        distinct = (alike - own / pooled) * pooled / (pooled - 1.0) if pooled > 1 else 0.0
        of_mean += w_pool**2 * (distinct + (own - distinct) / taken)
    return _Fit(of_mean, w_fresh + w_anchor + w_pool * own, fresh + anchor + taken, between)
