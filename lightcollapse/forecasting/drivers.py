"""What drives the drift between the generations that were measured, and how surely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lightcollapse.forecasting.answer import LEVEL, Driver
from lightcollapse.predictions import spectrum, temporal
from lightcollapse.special import ndtri
from lightcollapse.text.inputs import Name

Float = NDArray[np.float64]
_LEAST_DISPERSION = 0.02
_PROOF = 3.0  # standard errors beyond which a temperature or a fresh share is taken into the forecast


@dataclass(frozen=True)
class Rates:
    """Dispersion, that of rare types (None: the same), temperature and fresh share.

    Attributes:
        errors: standard errors of dispersion, exponent (1/temperature), fresh share, and dispersion of rare types.
    """

    dispersion: float = 1.0
    temperature: float = 1.0
    fresh: float = 0.0
    rare: float | None = None
    errors: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def told(self, fresh: float | None, temperature: float | None) -> Rates:
        """The same with what a user knows for certain."""
        dispersion, beta, share, rare = self.errors
        return replace(
            self,
            fresh=self.fresh if fresh is None else fresh,
            temperature=self.temperature if temperature is None else temperature,
            errors=(dispersion, beta if temperature is None else 0.0, share if fresh is None else 0.0, rare),
        )


def noise_of(halves: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    """How many times as much as independent tokens random halves of the documents differ; at least 1."""
    found = [
        temporal.sample_step(half, counts - half).dispersion.value
        for half in halves
        if half.sum() >= 2 and (counts - half).sum() >= 2
    ]
    return max(1.0, float(np.mean(found))) if found else 1.0


def drivers_of(
    counts: NDArray[np.int64], names: Sequence[Name], noises: Sequence[float], chain: bool, n: int
) -> tuple[list[Driver], Rates]:
    """What each step says, and all of them together."""
    if len(counts) < 2:
        return [], Rates()
    sizes = counts.sum(axis=1).astype(np.float64)
    steps, gaps, found = [], [], []
    for t in range(1, len(counts)):
        if chain:
            step = temporal.chain_step(counts[t - 1], counts[t], _source(counts[0]), source_size=float(sizes[0]))
        else:
            both = sizes[t - 1] * sizes[t] / (sizes[t - 1] + sizes[t])
            noise = both * sum((noises[g] if len(noises) > g else 1.0) / sizes[g] for g in (t - 1, t))
            source = counts[0] if t > 1 else None
            step = temporal.sample_step(counts[t - 1], counts[t], source, noise=noise)
        steps.append(step)
        one, other = names[t - 1], names[t]
        gaps.append(float(other - one) if isinstance(one, int) and isinstance(other, int) else 1.0)
        found += _named(step, one, other)
    drift = _drift(steps, sizes, chain, n)
    beta = _pooled([(1.0 / s.temperature.value, s.temperature.error) for s in steps])
    share = _pooled([(s.fresh.value, s.fresh.error) for s in steps if s.fresh is not None])
    sharpened = abs(beta[0] - 1.0) > _PROOF * beta[1]  # else every twentieth forecast would follow mere noise
    mixed = share[0] > _PROOF * share[1] and share[0] > 0
    z = float(ndtri((1.0 + LEVEL) / 2.0))
    gap = float(np.mean(gaps))
    value, error = drift[0] / gap, drift[1] / gap
    whole = [
        _driver("effective_sample_size", n / value, n / (value + z * error), n / max(value - z * error, 1e-12)),
        _driver("temperature", 1 / beta[0], 1 / (beta[0] + z * beta[1]), 1 / max(beta[0] - z * beta[1], 1e-3)),
    ]
    if np.isfinite(share[1]):
        low, high = (float(np.clip(share[0] + sign * z * share[1], 0.0, 1.0)) for sign in (-1, 1))
        whole.append(_driver("fresh", share[0], low, high))
    lost = _pooled([(s.rare.value, s.rare.error) for s in steps if s.rare is not None])
    rare = float(np.clip(lost[0], _LEAST_DISPERSION, 1.0 / _LEAST_DISPERSION)) if np.isfinite(lost[1]) else None
    rates = Rates(
        max(value, _LEAST_DISPERSION),
        float(np.clip((1.0 / beta[0]) ** (1.0 / gap) if sharpened else 1.0, 0.1, 10.0)),
        float(np.clip(share[0] / gap if mixed else 0.0, 0.0, 1.0)),
        rare,
        (
            error,
            beta[1] / gap if sharpened else 0.0,
            share[1] / gap if mixed else 0.0,
            0.0 if rare is None else lost[1],
        ),
    )
    return whole + found, rates


def _drift(steps: Sequence[temporal.Step], sizes: Float, chain: bool, n: int) -> tuple[float, float]:
    """Variance that a generation adds to a count, in units of the multinomial one for n tokens, and its error."""
    values = []
    for step in steps:
        if chain:
            values.append((step.dispersion.value, step.dispersion.error, step.types))
        else:
            inverse = 1.0 / step.effective.value if np.isfinite(step.effective.value) else 0.0
            values.append((n * inverse, n * step.effective.error, step.types))
    weight = np.array([types for _, _, types in values], dtype=np.float64)
    weight /= weight.sum()
    value = float(sum(w * v for w, (v, _, _) in zip(weight, values, strict=True)))
    error = math.sqrt(sum((w * e) ** 2 for w, (_, e, _) in zip(weight, values, strict=True) if np.isfinite(e)))
    return max(value, _LEAST_DISPERSION), error


def _pooled(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean weighted by precision, and its error; (1, infinity) where nothing is known."""
    known = [(value, error) for value, error in found if np.isfinite(error) and error > 0]
    if not known:
        return 1.0, math.inf
    weight = np.array([error**-2.0 for _, error in known])
    return float(weight @ [value for value, _ in known] / weight.sum()), float(weight.sum() ** -0.5)


def _named(step: temporal.Step, one: Name, other: Name) -> list[Driver]:
    named = [("effective_sample_size", step.effective), ("dispersion", step.dispersion),
             ("temperature", step.temperature), ("fresh", step.fresh)]  # fmt: skip
    return [_driver(name, found.value, found.low, found.high, one, other) for name, found in named if found is not None]


def _driver(
    name: str, value: float, low: float, high: float, one: Name | None = None, other: Name | None = None
) -> Driver:
    finite = [v if math.isfinite(v) and v < 1e11 else None for v in (value, low, high)]
    return Driver(name, one, other, *finite)


def _source(counts: NDArray[np.int64]) -> Float:
    """Probabilities in the source of all types, those that the baseline lacks sharing what Good leaves for them."""
    values, times = spectrum.tally(counts)
    law = spectrum.good_shares(values, times)
    lacking = int(np.count_nonzero(counts == 0))
    missing = float(times[values == 1].sum()) / float(values @ times) if lacking else 0.0
    seen = law[np.minimum(np.searchsorted(values, counts), len(values) - 1)] * (1.0 - missing) / float(law @ times)
    return np.where(counts == 0, missing / max(lacking, 1), seen)
