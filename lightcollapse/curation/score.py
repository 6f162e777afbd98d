"""Scores: what a selection looks for in a point."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation.base import Stage
from lightcollapse.errors import CardError, nearest, require

Float = NDArray[np.float64]


class Quadratic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The score -(x - centre)^2 / (2 scale^2) of a number x: a judge who likes what lies near the centre."""

    centre: float
    scale: float


Score = str | tuple[float, ...] | Quadratic

_NAMES = {"likelihood": "log_density", "source": "log_density", "value": "value"}


def check_score(score: Score, field: str) -> None:
    """Raise CardError where a score breaks a rule."""
    if isinstance(score, str) and score not in _NAMES:
        raise CardError(
            f"{field}: unknown score {score!r}; {nearest(score, _NAMES)}, or one number a symbol, or centre and scale"
        )
    if isinstance(score, Quadratic):
        require(math.isfinite(score.centre), f"{field}.centre must be finite", score.centre)
        require(math.isfinite(score.scale) and score.scale > 0, f"{field}.scale must be positive", score.scale)
    if isinstance(score, tuple):
        require(len(score) >= 1, f"{field} must hold one number a symbol", list(score))
        for value in score:
            require(math.isfinite(value), f"{field} must hold finite numbers", value)


def ability(score: Score) -> str:
    """What a family must offer for points to be given this score."""
    if isinstance(score, str):
        return _NAMES[score]
    return "table" if isinstance(score, tuple) else "value"


def scores(stage: Stage, score: Score, points: Float) -> Float:
    """The score of each point, float64 (lanes, points); each counts as one evaluation."""
    if score == "likelihood":
        return stage.log_density(points)
    stage.count("evaluations", points.shape[1])
    if score == "source":
        return stage.craft.source_log_density(points)
    values = points[:, :, 0]
    if isinstance(score, Quadratic):
        return np.asarray(-0.5 * ((values - score.centre) / score.scale) ** 2)
    if isinstance(score, tuple):
        return np.asarray(score)[values.astype(np.int64)]
    return values


def gumbel(uniforms: Float) -> Float:
    """Gumbel noise from uniforms in (0, 1): the largest of log weights plus it is a draw by the weights."""
    return np.asarray(-np.log(-np.log(uniforms)))
