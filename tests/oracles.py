"""Slow twins in NumPy, written from the definitions: points in, points out, nothing merged, cached or packed.

They draw from NumPy's own generator, so that they share neither bits nor formulae with the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lightcollapse.schedule import ALL, REAL, Schedule

Points = np.ndarray
Sampler = Callable[[int], Points]


def training_sets(
    schedule: Schedule, real: Sampler, fit: Callable[[Points, float | None, int], object], write: Callable[..., Points],
    generator: np.random.Generator,
) -> list[object]:  # fmt: skip
    """Models 1 .. T of one chain, from the recipe's words: `fit` takes points and how many of them are real."""
    batches: dict[int, Points] = {}
    models: list[object] = []
    for t, row in enumerate(schedule, start=1):
        if t > 1:
            batches[t - 1] = write(models[-1], int(row["sample"]))
        fresh = real(int(row["fresh"]))
        if t == 1:
            batches[REAL] = fresh
        anchor = pick(batches[REAL], int(row["anchor"]), generator)
        pool = [batches[g] for g in range(int(row["oldest"]), t)]
        taken = pick(np.concatenate(pool), int(row["take"]), generator) if pool else fresh[:0]
        weight = float(row["weight"])
        training = np.concatenate([fresh, anchor, taken])
        assert len(training) == row["size"]
        models.append(fit(training, None if math.isnan(weight) else weight, len(fresh) + len(anchor)))
    return models


def pick(points: Points, count: int, generator: np.random.Generator) -> Points:
    """`count` of the points without replacement, or all of them."""
    return points if count == ALL else generator.permutation(points)[:count]


def gaussian_chain(
    schedule: Schedule, mean: float, std: float, unbiased: bool, generator: np.random.Generator
) -> np.ndarray:
    """Mean and variance of models 0 .. T of one chain: float64 (2, generations + 1)."""

    def fit(points: Points, weight: float | None, real: int) -> tuple[float, float]:
        if weight is None:
            return float(np.mean(points)), float(np.var(points, ddof=int(unbiased)))
        each = np.where(np.arange(len(points)) < real, weight / real, (1 - weight) / max(1, len(points) - real))
        centre = float(each @ points)
        return centre, float(each @ (points - centre) ** 2)

    def write(model: tuple[float, float], count: int) -> Points:
        return generator.normal(model[0], math.sqrt(model[1]), count)

    models = training_sets(schedule, lambda count: generator.normal(mean, std, count), fit, write, generator)
    return np.array([(mean, std**2), *models]).T


def categorical_chain(
    schedule: Schedule, law: np.ndarray, smoothing: float, generator: np.random.Generator
) -> np.ndarray:
    """Probabilities of models 0 .. T of one chain: float64 (generations + 1, symbols)."""
    symbols = len(law)

    def fit(points: Points, weight: float | None, real: int) -> np.ndarray:
        if weight is None:
            count = np.bincount(points, minlength=symbols) + smoothing
            return count / count.sum()
        first, second = np.bincount(points[:real], minlength=symbols), np.bincount(points[real:], minlength=symbols)
        return weight * first / first.sum() + (1 - weight) * second / second.sum()

    def write(model: np.ndarray, count: int) -> Points:
        return generator.choice(symbols, count, p=model)

    models = training_sets(schedule, lambda count: generator.choice(symbols, count, p=law), fit, write, generator)
    return np.array([law, *models])


def gaussian_measures(mean: float, variance: float, source_mean: float, source_std: float) -> dict[str, float]:
    """Metrics of a Gaussian by numerical integration where they are integrals."""
    from scipy.integrate import quad
    from scipy.stats import norm

    std = math.sqrt(variance)
    model, source = norm(mean, std), norm(source_mean, source_std)

    def divergence(p: object, q: object) -> float:
        low, high = p.ppf(1e-15), p.ppf(1 - 1e-15)  # type: ignore[attr-defined]
        term = lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x))  # type: ignore[attr-defined]  # noqa: E731
        return float(quad(term, low, high, limit=400, epsabs=1e-12)[0])

    transport = quad(lambda u: (model.ppf(u) - source.ppf(u)) ** 2, 0, 1, limit=400)[0]
    grid = np.linspace(source_mean - 12 * source_std, source_mean + 12 * source_std, 400_001)
    cases = source.pdf(grid) * (np.abs(grid - source_mean) > source_std * norm.ppf(0.975))
    failed = model.logpdf(grid) < source.logpdf(grid) + math.log(0.1)
    low, high = model.interval(0.9)
    return {
        "mean": mean,
        "variance": variance,
        "std": std,
        "log_variance": math.log(variance),
        "w2_squared": float(transport),
        "kl_model_source": divergence(model, source),
        "kl_source_model": divergence(source, model),
        "edge_case_failure": float(cases[failed].sum() / cases.sum()),
        "calibration": float(source.cdf(high) - source.cdf(low)),
        "sharpness": float(high - low),
    }


def categorical_measures(model: np.ndarray, law: np.ndarray, share: float) -> dict[str, float]:
    """Metrics of a categorical law, symbol by symbol as they are defined."""
    from scipy.stats import entropy

    rarest = sorted(range(len(law)), key=lambda i: (law[i], -i))
    tail: list[int] = []
    for symbol in rarest:
        if sum(law[i] for i in [*tail, symbol]) > share * (1 + 1e-12):
            break
        tail.append(symbol)
    cases = [i for i in tail if law[i] > 0]
    mass = sum(law[i] for i in cases)
    ranked = sorted((i for i in range(len(model)) if model[i] > 0), key=lambda i: -model[i])
    size = 1 + sum(sum(model[i] for i in ranked[:k]) < 0.9 * (1 - 1e-12) for k in range(1, len(ranked) + 1))
    edge = model[ranked[size - 1]]
    ties = [i for i in ranked if model[i] == edge]
    inside = [i for i in ranked if model[i] > edge]
    share_of_ties = (size - len(inside)) / len(ties)
    with np.errstate(divide="ignore"):
        return {
            "heterozygosity": 1.0 - sum(p * p for p in model),
            "entropy": float(entropy(model)),
            "support": float(sum(p > 0 for p in model)),
            "tail_mass": float(sum(model[i] for i in tail)),
            "total_variation": 0.5 * sum(abs(p - q) for p, q in zip(model, law, strict=True)),
            "kl_model_source": float(entropy(model, law)),
            "kl_source_model": float(entropy(law, model)),
            "edge_case_failure": sum(law[i] for i in cases if model[i] < 0.1 * law[i]) / mass if cases else 0.0,
            "rare_retention": sum(model[i] > 0 for i in cases) / len(cases) if cases else 1.0,
            "calibration": sum(law[i] for i in inside) + share_of_ties * sum(law[i] for i in ties),
            "sharpness": float(size),
        }
