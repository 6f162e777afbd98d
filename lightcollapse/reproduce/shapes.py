"""Which law a short curve follows: straight line, power or exponential, by an information criterion."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit

from lightcollapse.errors import require

Float = NDArray[np.float64]

LAWS = ("linear", "power", "exponential")
CLEAR = 2.0  # a law so far behind the best one is not held any more (Burnham and Anderson 2002)
_STEPS = 20_000
_LEAST = 1e-300  # a residual that is 0 has a logarithm too


@dataclass(frozen=True)
class Fitted:
    """A law fitted to a curve by least squares.

    Attributes:
        law: a name of LAWS.
        coefficients: of the law, in the order of its formula.
        residual: sum of squared residuals.
        criterion: AICc, n ln(residual / n) + 2k + 2k(k + 1)/(n - k - 1), the residual's variance counted among the k.
    """

    law: str
    coefficients: tuple[float, ...]
    residual: float
    criterion: float


@dataclass(frozen=True)
class Ranking:
    """The laws of one curve, best first."""

    fits: tuple[Fitted, ...]

    @property
    def best(self) -> str:
        return self.fits[0].law

    def behind(self, law: str) -> float:
        """How far a law's criterion lies above the best one's."""
        return next(fit.criterion for fit in self.fits if fit.law == law) - self.fits[0].criterion

    def coefficients(self, law: str) -> tuple[float, ...]:
        return next(fit.coefficients for fit in self.fits if fit.law == law)

    def holds(self, shape: str) -> bool:
        """Whether a shape is not behind: a law, "not linear", or "super-linear" (and a power above 1)."""
        if shape in LAWS:
            return self.behind(shape) <= CLEAR
        bent = self.behind("linear") > CLEAR
        return bent and (shape != "super-linear" or self.coefficients("power")[-1] > 1.0)


def plain(values: ArrayLike) -> Ranking:
    """a + b t, a (1 + t)^b and a e^(bt) through all points of a positive curve, float64 (points,): two numbers each.

    Raises CardError where a point is not positive, or there are fewer than 5.
    """
    y = _checked(values, 5)
    require(bool(np.all(y > 0)), "a curve must be positive", float(y.min()))
    t = np.arange(len(y), dtype=np.float64)
    slope, start = np.polyfit(t, y, 1)
    rate, level = np.polyfit(t, np.log(y), 1)
    power, scale = np.polyfit(np.log1p(t), np.log(y), 1)
    return _ranked(
        t,
        y,
        {
            "linear": (lambda t, a, b: a + b * t, (start, slope)),
            "power": (lambda t, a, b: a * (1.0 + t) ** b, (math.exp(scale), power)),
            "exponential": (lambda t, a, b: a * np.exp(b * t), (math.exp(level), rate)),
        },
    )


def from_start(values: ArrayLike) -> Ranking:
    """The laws of what a curve has gained since its first point, which is taken as exact: b t (one number), b t^c and
    b (e^(ct) - 1) (two each), through the points after it, float64 (points,).

    Raises CardError where there are fewer than 6 points.
    """
    y = _checked(values, 6)
    gain, t = y[1:] - y[0], np.arange(1.0, len(y))
    slope = float(gain @ t / (t @ t)) or 1e-12
    power = _slope_of_logs(t, gain)
    return _ranked(
        t,
        gain,
        {
            "linear": (lambda t, b: b * t, (slope,)),
            "power": (lambda t, b, c: b * t**c, (float(gain[0]) or slope, power)),
            "exponential": (lambda t, b, c: b * np.expm1(c * t), (5.0 * slope, 0.2)),
        },
    )


def _slope_of_logs(t: Float, gain: Float) -> float:
    """A first guess of the power: the slope of logarithms, 1 where there are none."""
    same = gain * np.sign(gain[-1]) > 0
    return float(np.polyfit(np.log(t[same]), np.log(np.abs(gain[same])), 1)[0]) if same.sum() > 1 else 1.0


def _checked(values: ArrayLike, least: int) -> Float:
    y = np.asarray(values, dtype=np.float64)
    require(y.ndim == 1 and len(y) >= least, f"a curve must hold at least {least} points", y.shape)
    require(bool(np.all(np.isfinite(y))), "a curve must be finite", y.tolist())
    return y


def _ranked(t: Float, y: Float, laws: dict[str, tuple[Callable[..., Float], tuple[float, ...]]]) -> Ranking:
    fits = [_fitted(t, y, law, function, guess) for law, (function, guess) in laws.items()]
    return Ranking(tuple(sorted(fits, key=lambda fit: fit.criterion)))


def _fitted(t: Float, y: Float, law: str, function: Callable[..., Float], guess: tuple[float, ...]) -> Fitted:
    with np.errstate(all="ignore"):
        try:
            found, _ = curve_fit(function, t, y, guess, maxfev=_STEPS)
        except (RuntimeError, ValueError):  # no least was found: the guess stands
            found = np.array(guess)
        residual = float(np.sum((y - function(t, *found)) ** 2))
    n, k = len(y), len(guess) + 1
    residual = residual if math.isfinite(residual) else math.inf
    size = n * math.log(max(residual / n, _LEAST)) if math.isfinite(residual) else math.inf
    return Fitted(law, tuple(map(float, found)), residual, size + 2 * k + 2 * k * (k + 1) / (n - k - 1))
