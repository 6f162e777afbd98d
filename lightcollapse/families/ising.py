"""The Ising model in which every spin is bound to every other, fitted by its coupling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lightcollapse.families.estimator import Float
from lightcollapse.families.exponential_family import ExponentialFamily, Law
from lightcollapse.kernels.draws import Draws
from lightcollapse.sources import Source
from lightcollapse.sources import numbers as real

_ENDS = 1e-14  # how near an end of its range a mean is rounding away from it


class Ising(ExponentialFamily, frozen=True):
    """Spins, each bound to every other, fitted by one coupling: the one whose mean squared magnetisation is the data's.

    A point is a configuration's squared magnetisation. Its law is enumerated, so that draws and fits are exact. Where
    all configurations are aligned, or all as balanced as can be, the coupling is infinite and the chain is absorbed.
    """

    kind: ClassVar[str] = "ising"
    metrics: ClassVar[tuple[str, ...]] = (*ExponentialFamily.metrics, "coupling", "entropy", "alive")
    abilities: ClassVar[frozenset[str]] = ExponentialFamily.abilities | {"temperature"}
    accepted: ClassVar[type[Source]] = real.Ising

    def law(self, source: Any) -> Law:
        return IsingLaw(source.spins, *source.levels())


@dataclass(frozen=True)
class IsingLaw(Law):
    """Squared magnetisations `values`, and the log number of configurations of each, float64 (levels,)."""

    spins: int
    values: Float
    logs: Float

    def naturals(self, mean: Float) -> Float:
        """Spins times coupling, halved, of each mean; infinite at the ends."""
        from lightcollapse.kernels.exponential_family import solve_naturals

        low, high = self.values[0], self.values[-1]
        near = _ENDS * (high - low)
        settled = np.where(mean <= low + near, low, np.where(mean >= high - near, high, mean))
        out = np.empty(len(mean))
        solve_naturals(settled, self.values, self.logs, out)
        return out

    def log_laws(self, naturals: Float) -> Float:
        """Log probability of each level, float64 (lanes, levels)."""
        from lightcollapse.kernels.exponential_family import tilted

        out = np.empty((len(naturals), len(self.values)))
        tilted(naturals, self.values, self.logs, out)
        return out

    def law(self, mean: Float) -> Float:
        """Probability of each level, float64 (lanes, levels)."""
        return np.exp(self.log_laws(self.naturals(mean)))

    def points(self, mean: Float, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.categorical import invert

        level = draws.uniforms(count)
        tails = np.cumsum(self.law(mean)[:, ::-1], axis=1)[:, ::-1]
        invert(np.ascontiguousarray(tails), level)
        return self.values[level.astype(np.int64)]

    def sums(self, mean: Float, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.exponential_family import fill_sums

        out = np.empty(draws.lanes)
        fill_sums(count, self.values, self.law(mean), out, 0, *draws.arguments)
        return out

    def variance(self, mean: Float) -> Float:
        return self._variance(self.law(mean))

    def _variance(self, law: Float) -> Float:
        mean = (law * self.values).sum(axis=1, keepdims=True)
        return np.asarray((law * (self.values - mean) ** 2).sum(axis=1))

    def divergence(self, one: Float, other: Float) -> Float:
        return _divergence(self.log_laws(self.naturals(one)), self.log_laws(self.naturals(other)))

    def log_density(self, mean: Float, values: Float) -> Float:
        """Log probability of the squared magnetisation."""
        level = np.searchsorted(0.5 * (self.values[1:] + self.values[:-1]), values)
        return np.take_along_axis(self.log_laws(self.naturals(mean)), level, axis=1)

    def tempered(self, mean: Float, temperature: float) -> Float:
        law = np.exp(self.log_laws(self.naturals(mean) / temperature))
        return np.asarray((law * self.values).sum(axis=1))

    def measures(self, mean: Float, source: float) -> dict[str, Float]:
        """All from one solution of the mean."""
        naturals = self.naturals(mean)
        logs, real = self.log_laws(naturals), self.log_laws(self.naturals(np.array([source])))
        law = np.exp(logs)
        variance = self._variance(law)
        return {
            "mean": mean,
            "variance": variance,
            "kl_model_source": _divergence(logs, real),
            "kl_source_model": _divergence(real, logs),
            "coupling": 2.0 * naturals / self.spins,
            "entropy": np.where(law > 0.0, law * (self.logs - np.where(law > 0.0, logs, 0.0)), 0.0).sum(axis=1),
            "alive": (variance > 0.0).astype(np.float64),
        }


def _divergence(one: Float, other: Float) -> Float:
    """KL divergence from log probabilities, float64 (lanes, levels) or (1, levels)."""
    law = np.exp(one)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(law > 0.0, law * (one - other), 0.0).sum(axis=1))
