"""Evidence against a claimed law or mean: p-values valid for every sample size, with no normal approximation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lightcollapse.special import logsumexp

Float = NDArray[np.float64]


_LOOKS = 200
_AT_ONCE = 4096  # values times bets stay in a second-level cache


def law_p_value(law: Callable[[Float], Float], values: Float) -> float:
    """p-value of a claimed continuous law, given as its distribution function; values float64 (n,).

    If the law is right, the largest distance D of the empirical distribution function from it has
    P(D >= d) <= 2 exp(-2 n d^2). It is looked for at no more than 200 order statistics, as distribution functions may
    be dear: what is missed in between can only raise the p-value.
    Source: Dvoretzky, Kiefer and Wolfowitz 1956, with the constant of Massart 1990.
    """
    n = len(values)
    ranks = np.unique(np.linspace(0, n - 1, min(n, _LOOKS)).astype(np.int64))
    claimed = law(np.sort(values)[ranks])
    distance = max(float(np.max((ranks + 1) / n - claimed)), float(np.max(claimed - ranks / n)), 0.0)
    return min(1.0, 2.0 * math.exp(-2.0 * n * distance * distance))


def mean_p_value(values: Float, mean: float, variance: float) -> float:
    """p-value of a claimed mean, where the variance is at most `variance`; values float64 (n,).

    With phi(y) = log(1 + y + y^2/2), E exp(phi(l (X - mean))) <= 1 + l^2 variance / 2 <= exp(l^2 variance / 2): the
    exponential of the sum of phi - l^2 variance / 2 has mean at most 1 for every l, and so has a mixture over l; its
    inverse is a p-value by Markov's inequality. Heavy tails cost power, never validity.
    Source: the influence function of Catoni 2012; the mixture is standard.
    """
    if not math.isfinite(variance):
        return 1.0
    if not np.all(np.isfinite(values)):
        return 0.0
    if variance == 0.0:
        return 1.0 if bool(np.all(values == mean)) else 0.0
    n = len(values)
    nats = 2.0 ** np.arange(-1, 11)  # how much evidence each bet is tuned to find
    bets = np.sqrt(2.0 * nats / (n * variance))
    bets = np.concatenate([bets, -bets])
    logs = -0.5 * n * variance * bets * bets
    for start in range(0, n, _AT_ONCE):
        y = np.multiply.outer(bets, values[start : start + _AT_ONCE] - mean)
        half_square = 0.5 * y
        half_square *= y
        y += 1.0
        y += half_square
        logs += np.log(y, out=y).sum(axis=1)
    return _p_value(logs)


def bounded_mean_p_value(values: Float, mean: float, low: float, high: float) -> float:
    """p-value of a claimed mean of values that lie in [low, high]; values float64 (n,).

    Bets on each value in turn at fixed fractions of what may be staked: the capital has mean 1 if the claim is right,
    and so has a mixture over the fractions; its inverse is a p-value by Markov's inequality.
    Source: Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting".
    """
    if not low <= mean <= high or bool(np.any((values < low) | (values > high))):
        return 0.0
    if mean in (low, high):
        return 1.0 if bool(np.all(values == mean)) else 0.0
    shift = values - mean
    fractions = 2.0 ** -np.arange(1.0, 15.0)
    logs = [
        np.sum(np.log1p(stake * shift))
        for fraction in fractions
        for stake in (fraction / (mean - low), -fraction / (high - mean))
    ]
    return _p_value(np.array(logs))


def _p_value(logs: Float) -> float:
    """Inverse of the mean of exp(logs), at most 1."""
    return float(min(1.0, math.exp(min(0.0, -float(logsumexp(logs) - math.log(len(logs)))))))
