"""What fresh human data keeps of a vocabulary: diversity, types, entropy, with pooled and with weighted training.

Classes of types: `p` (classes,) probabilities in the source, `times` (classes,) how many types have each. Model 0 is
fitted on n human tokens, so that what is kept is counted from it; later ones on m fresh tokens of weight w and k that
the last one wrote. Everything is of the fitted model: its support is that of its training set. Infinity is the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcollapse.predictions import weighted
from lightcollapse.predictions._checks import Float, require

_STEPS = 1000  # generations followed one by one, beyond which a sum is taken for its integral
_NODES = 64  # of Gauss's rule for that integral, in the logarithm of time
_SETTLED = 1e-15
_STEP = 0.1  # of the trapezoidal rule in the logarithm of u
_PLACES, _ROUNDS = 16, 5  # weights tried at a time, each time between the neighbours of the best
_CELLS = 4_000_000  # of a table of types by nodes held at a time


@dataclass(frozen=True)
class Training:
    """What the second and every later model learns from.

    Attributes:
        size: n, human tokens of the first training set, and what shares are counted in.
        fresh: m, human tokens in each later one; weight: of them all in the fit.
        written: k, tokens of the last model beside them.
    """

    size: float
    fresh: float
    weight: float
    written: float

    def __post_init__(self) -> None:
        require(self.size >= 1, "size must be at least 1", self.size)
        require(0 <= self.weight <= 1, "weight must lie in [0, 1]", self.weight)
        require((self.weight == 0) or self.fresh > 0, "fresh must be above 0 where it has weight", self.fresh)
        require((self.weight == 1) or self.written > 0, "written must be above 0 where it has weight", self.written)

    @property
    def copy(self) -> float:
        """What one fresh token adds to a type's share, in units of 1/n."""
        return self.size * self.weight / self.fresh if self.fresh > 0 else 0.0

    @property
    def echo(self) -> float:
        """The same of one written token."""
        return self.size * (1.0 - self.weight) / self.written if self.written > 0 else 0.0


def pooled(size: float, fresh: float) -> Training:
    """m fresh tokens and n - m written ones, all alike.

    Derivation: theory/fresh-data.md. Source: derived.
    """
    require(0 <= fresh <= size, "fresh must lie in [0, size]", fresh)
    return Training(float(size), float(fresh), fresh / size, float(size - fresh))


def best_weighted(size: float, fresh: float, generations: float = np.inf) -> Training:
    """m fresh tokens beside n written ones, with the weight that leaves the largest diversity after some generations.

    Derivation: theory/weighted.md. Source: derived.
    """
    if fresh <= 0:
        return pooled(size, 0.0)

    def training(weight: float) -> Training:
        return Training(float(size), float(fresh), weight, float(size))

    best = weighted.best_diversity_weight(fresh, size)  # type: ignore[arg-type]
    if np.isfinite(generations):  # a short loop takes less of few tokens, which are noise at first
        low, high = best * 1e-4, 1.0
        for _ in range(_ROUNDS):
            weights = np.geomspace(low, high, _PLACES)
            kept = [diversity(training(float(weight)), generations) for weight in weights]
            place = int(np.argmax(kept))
            best = float(weights[place])
            low, high = float(weights[max(place - 1, 0)]), float(weights[min(place + 1, _PLACES - 1)])
    return training(best)


def diversity(training: Training, generations: float) -> float:
    """h after so many training sets with fresh tokens, in units of that of n human tokens. Exact.

    Derivation: theory/weighted.md. Source: Wright 1931; setting of He, Xu and Cheng 2025 (2502.18049); derived.
    """
    first = 1.0 - 1.0 / training.size
    if training.weight == 1.0:
        return (1.0 - 1.0 / training.fresh) / first if generations else 1.0
    rate = (1.0 - training.weight) ** 2 * (1.0 - 1.0 / training.written)
    limit = 0.0
    if training.weight > 0:
        limit = weighted.weighted_limit(training.weight, training.fresh, training.written)  # type: ignore[arg-type]
    left = rate**generations if np.isfinite(generations) else 0.0
    return float((limit + (first - limit) * left) / first)


def effective_size(training: Training, generations: float) -> float:
    """Size of the one human sample that has the types of the last training set: of each copy, the chance to be there.

    Approximation: Poisson counts; a type that is a fair share of the text is never lost and asks no exactness. Without
    fresh data it is 0 in the limit.

    Derivation: theory/forecast.md. Source: Harris 1963; derived.
    """
    if training.weight == 0 and not np.isfinite(generations):
        return 0.0
    return float(_exponent(training, np.array([np.inf]), generations)[0][0])


def support(p: Float, times: Float, training: Training, generations: float) -> float:
    """Expected number of types in the training set: those of a human sample of the effective size. Approximation.

    Derivation: theory/forecast.md. Source: derived.
    """
    if training.weight == 0 and not np.isfinite(generations):
        return 1.0  # one type is left
    return float(times @ -np.expm1(-effective_size(training, generations) * p))


def entropy(p: Float, times: Float, training: Training, generations: float) -> float:
    """Expected entropy of the model in nats, for counts of types as branching processes. Approximation.

    Of x tokens E[x log x] is the integral over u of (E[x] e^-u - E[x e^(-u x)])/u, and E e^(-u x) = exp(-p A(u)). The
    sum over types, less the same for one type of probability 1, leaves the integral over log u of A'(u)/n times
    E_p[e^(-p A)] - e^(-A): right to second order where counts are frequent, and where the law is Dirichlet.

    Derivation: theory/forecast.md. Source: Wright 1931; Harris 1963; derived.
    """
    if training.weight == 0 and not np.isfinite(generations):
        return 0.0
    last = 60.0 / max(min(1.0, training.echo or 1.0), 1e-12)
    u = np.exp(np.arange(np.log(1e-11 / training.size), np.log(last), _STEP))
    rate, slope = _exponent(training, u, generations)
    mass, gone = p * times, np.zeros_like(u)
    block = max(1, _CELLS // len(u))
    for start in range(0, len(p), block):
        gone += mass[start : start + block] @ np.exp(-p[start : start + block, None] * rate)
    return float(_STEP * slope @ (gone - np.exp(-rate) * mass.sum())) / training.size


def _exponent(training: Training, u: Float, generations: float) -> tuple[Float, Float]:
    """A(u) with E e^(-u n q) = exp(-p A(u)) for a type of share q, and its slope: float64 (nodes,) each.

    A_0(u) = n (1 - e^-u), and A_(t+1)(u) = m (1 - e^(-a u)) + A_t((k/n) (1 - e^(-b u))), a and b what a fresh and a
    written token add.
    """
    n, m, k, a, b = training.size, training.fresh, training.written, training.copy, training.echo
    rate, slope, chain = np.zeros_like(u), np.zeros_like(u), np.ones_like(u)
    steps = int(min(generations, _STEPS))
    for _ in range(steps):
        if a > 0:
            rate, slope = rate - m * np.expm1(-a * u), slope + chain * (m * a) * np.exp(-a * u)
        chain = chain * (k / n * b * np.exp(-b * u)) if b > 0 else np.zeros_like(u)
        u = -k / n * np.expm1(-b * u) if b > 0 else np.zeros_like(u)
        if float(u.max()) * n < _SETTLED * float(rate.max()):
            return rate, slope
    if generations > steps:
        more, rise, u, factor = _later(training, u, generations - steps)
        rate, slope, chain = rate + more, slope + chain * rise, chain * factor
    return rate - n * np.expm1(-u), slope + chain * n * np.exp(-u)


def _later(training: Training, u: Float, generations: float) -> tuple[Float, Float, Float, Float]:
    """What generations far on add to A and its slope, and u and its slope after them: u' = -r u - c u^2 in time."""
    m, a = training.fresh, training.copy
    r, c = -float(np.log1p(-training.weight)), 0.5 * (1.0 - training.weight) * training.echo
    end = min(generations, 40.0 / r) if r > 0 else generations
    x, weight = np.polynomial.legendre.leggauss(_NODES)
    span = float(np.log1p(end / _STEPS))
    t = np.append(_STEPS * np.expm1(0.5 * span * (x + 1.0)), end)[:, None]
    fall = np.exp(-r * t)
    below = 1.0 + c * u * (-np.expm1(-r * t) / r if r > 0 else t)
    course, factor = u * fall / below, fall / below**2
    if a == 0.0:
        return np.zeros_like(u), np.zeros_like(u), course[-1], factor[-1]
    weights = weight * 0.5 * span * (t[:-1, 0] + _STEPS)
    more = -weights @ (m * np.expm1(-a * course[:-1])) - 0.5 * m * np.expm1(-a * u)  # a sum is its integral and a half
    rise = weights @ (m * a * np.exp(-a * course[:-1]) * factor[:-1]) + 0.5 * m * a * np.exp(-a * u)
    return more, rise, course[-1], factor[-1]
