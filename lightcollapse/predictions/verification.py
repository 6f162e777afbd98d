"""Answers that are checked before they are learned from: precision, plateaus, coverage, and a solver with its judge.

`right_pass` is the chance that a right answer passes the check, `wrong_pass` that a wrong one does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, at_least, from_source, require
from lightcollapse.special import betaln, ndtr

_TERMS = 100_000  # factors of a product that are multiplied one by one


def _check_rates(right_pass: float, wrong_pass: float) -> None:
    for rate in (right_pass, wrong_pass):
        require(0 <= rate <= 1, "right_pass and wrong_pass must lie in [0, 1]", rate)


def precision(accuracy: ArrayLike, right_pass: float, wrong_pass: float) -> Float:
    """Share of right answers among those that pass: x f / (x f + (1 - x) g), in the shape of `accuracy`. Exact.

    Zero where nothing passes.

    Derivation: theory/verification.md. Source: Bayes; Feng et al. 2024 (2406.07515) for the setting.
    """
    _check_rates(right_pass, wrong_pass)
    x = np.asarray(accuracy, dtype=np.float64)
    require(bool(np.all((x >= 0) & (x <= 1))), "accuracy must lie in [0, 1]", accuracy)
    right, wrong = x * right_pass, (1.0 - x) * wrong_pass
    passing = right + wrong
    return np.asarray(np.divide(right, passing, out=np.zeros_like(passing), where=passing > 0))


def breakdown_share(right_pass: float, wrong_pass: float) -> float:
    """Share of wrong answers beyond which what passes is wrong more often than right: f / (f + g). Exact.

    Derivation: theory/verification.md. Source: Feng et al. 2024 (2406.07515) for a threshold; derived.
    """
    _check_rates(right_pass, wrong_pass)
    require(right_pass + wrong_pass > 0, "right_pass or wrong_pass must be positive", (right_pass, wrong_pass))
    return right_pass / (right_pass + wrong_pass)


def mean_classifier_accuracy(
    accuracy: float, right_pass: float, wrong_pass: float, *, written: float, dimension: int, separation: float
) -> float:
    """Accuracy of the classifier along the mean of label times point, trained on what passes. Approximation.

    Points are normal around plus or minus a centre with squared length `separation` (m^2), in `dimension` d; `written`
    is the number before the check. Phi(a m^2 / sqrt(a^2 m^2 + d / n)), a = 2 precision - 1, n the number that passes.
    Within 0.2 % for m^2 far below d and n in the hundreds.

    Derivation: theory/verification.md. Source: setting of Feng et al. 2024 (2406.07515); derived.
    """
    require(written > 0 and dimension >= 1 and separation >= 0,
            "written must be positive, dimension at least 1, separation at least 0",
            (written, dimension, separation))  # fmt: skip
    passing = written * (accuracy * right_pass + (1.0 - accuracy) * wrong_pass)
    lean = 2.0 * float(precision(accuracy, right_pass, wrong_pass)) - 1.0
    if passing == 0 or separation == 0:
        return 0.5
    return float(ndtr(lean * separation / np.sqrt(lean * lean * separation + dimension / passing)))


def _check_loop(right_pass: float, wrong_pass: float, error: float, fraction: float, real_accuracy: float) -> None:
    _check_rates(right_pass, wrong_pass)
    for name, value in (("error", error), ("fraction", fraction), ("real_accuracy", real_accuracy)):
        require(0 <= value <= 1, f"{name} must lie in [0, 1]", value)


def self_training_accuracy(
    accuracy: float,
    generations: int,
    right_pass: float,
    wrong_pass: float,
    *,
    error: float = 0.0,
    fraction: float = 0.0,
    real_accuracy: float = 1.0,
) -> Float:
    """Accuracy of a model trained on its own answers that passed: float64 (generations + 1,), entry 0 `accuracy`.

    x' = fraction * real_accuracy + (1 - fraction)(1 - error) precision(x): training spoils the share `error` of right
    answers, and `fraction` of the training set are real ones. Exact at infinite sample size.

    Derivation: theory/verification.md. Source: derived.
    """
    at_least(0, generations=generations)
    _check_loop(right_pass, wrong_pass, error, fraction, real_accuracy)
    values = [float(accuracy)]
    precision(accuracy, right_pass, wrong_pass)  # raises where nothing can be said
    for _ in range(generations):
        right, wrong = right_pass * values[-1], wrong_pass * (1.0 - values[-1])
        passed = right / (right + wrong) if right + wrong > 0.0 else 0.0
        values.append(fraction * real_accuracy + (1.0 - fraction) * (1.0 - error) * passed)
    return from_source(values[0], values[1:])


def accuracy_plateau(
    right_pass: float, wrong_pass: float, *, error: float = 0.0, fraction: float = 0.0, real_accuracy: float = 1.0
) -> float:
    """Where self-training settles from any accuracy strictly between 0 and 1. Exact at infinite sample size.

    Without real data max(0, (1 - e - r) / (1 - r)), r = g/f, which is 0 unless r < 1 - e: an error threshold. With a
    fraction a of real data, right with chance b, the root
    of (1 - r) x^2 + (r - a b (1 - r) - (1 - a)(1 - e)) x - a b r.

    Raises ValueError where every accuracy stays as it is: r = 1, no error, no real data; or where no right answer
    passes.

    Derivation: theory/verification.md. Source: derived; Eigen 1971 for error thresholds.
    """
    _check_loop(right_pass, wrong_pass, error, fraction, real_accuracy)
    require(right_pass > 0, "right_pass must be positive", right_pass)
    ratio, real, kept = wrong_pass / right_pass, fraction * real_accuracy, (1.0 - fraction) * (1.0 - error)
    square, linear, constant = 1.0 - ratio, ratio - real * (1.0 - ratio) - kept, real * ratio
    idle = square == 0 and linear == 0
    require(not idle, "a check that tells nothing, without error or real data, settles nowhere", ratio)
    root = float(np.sqrt(max(linear * linear + 4.0 * square * constant, 0.0)))
    if linear > 0:
        return 2.0 * constant / (linear + root)
    return (root - linear) / (2.0 * square)


def coverage(shape_right: float, shape_wrong: float, attempts: ArrayLike) -> Float:
    """Chance that one of k attempts at a problem is right, its difficulty Beta(a, b): float64, the shape of `attempts`.

    1 - B(a, b + k) / B(a, b): pass@k, and the share of problems that give expert iteration anything to learn from.
    Exact.

    Derivation: theory/verification.md. Source: derived; Chen et al. 2021 (2107.03374) for pass@k.
    """
    a, b = float(shape_right), float(shape_wrong)
    require(a > 0 and b > 0, "shape_right and shape_wrong must be positive", (a, b))
    k = np.asarray(attempts, dtype=np.float64)
    require(bool(np.all(k >= 0)), "attempts must not be negative", attempts)
    logs = np.array([_log_miss(a, b, float(count)) for count in k.ravel()]).reshape(k.shape)
    return np.asarray(0.0 - np.expm1(logs))


def _log_miss(a: float, b: float, k: float) -> float:
    """log of B(a, b + k) / B(a, b), factor by factor where k is a whole number: nothing cancels then."""
    if k == np.floor(k) and k <= _TERMS:
        return float(np.log1p(-a / (a + b + np.arange(k))).sum())
    return float(betaln(a, b + k) - betaln(a, b))


def solver_uncertainty(
    times: ArrayLike, solver: float, verifier: float, *, solver_gain: float, verifier_gain: float, rate: float,
    bias: float = 0.0,
) -> Float:  # fmt: skip
    """Uncertainty of a solver that learns from a verifier: float64, the shape of `times`. Exact for the equations

        solver' = -solver_gain (rate gap - bias),   verifier' = -verifier_gain (rate gap - bias),

    gap = solver - verifier:
    solver - solver_gain (gap - bias/rate)(1 - exp(-(solver_gain - verifier_gain) rate t)) / (solver_gain -
    verifier_gain), linear in t where the gains are equal. They close the gap only if the solver gains faster.

    Derivation: theory/verification.md. Source: Sun et al. 2025 (2507.00075) for the equations; solution derived.
    """
    at_least(0, solver=solver, verifier=verifier, solver_gain=solver_gain, verifier_gain=verifier_gain)
    return solver - solver_gain * _learned(times, solver - verifier, solver_gain - verifier_gain, rate, bias)


def verifier_uncertainty(
    times: ArrayLike, solver: float, verifier: float, *, solver_gain: float, verifier_gain: float, rate: float,
    bias: float = 0.0,
) -> Float:  # fmt: skip
    """Uncertainty of the verifier beside `solver_uncertainty`: float64, the shape of `times`. Exact.

    Derivation: theory/verification.md. Source: Sun et al. 2025 (2507.00075) for the equations; solution derived.
    """
    at_least(0, solver=solver, verifier=verifier, solver_gain=solver_gain, verifier_gain=verifier_gain)
    return verifier - verifier_gain * _learned(times, solver - verifier, solver_gain - verifier_gain, rate, bias)


def _learned(times: ArrayLike, gap: float, difference: float, rate: float, bias: float) -> Float:
    """Integral over time of rate gap - bias."""
    t = np.asarray(times, dtype=np.float64)
    require(rate > 0, "rate must be positive", rate)
    require(bool(np.all(t >= 0)), "times must not be negative", times)
    pull = difference * rate
    span = t if pull == 0 else -np.expm1(-pull * t) / pull
    return np.asarray((rate * gap - bias) * span)
