"""Laws of numbers, and of the Ising model: one parameter each, told by their mean."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.sources.base import Source
from lightcollapse.special import gammaln

Float = NDArray[np.float64]


class NumberSource(Source, frozen=True):
    """A law of a one-parameter exponential family, whose statistic is the number itself.

    Attributes:
        support: what the numbers are, in words.
    """

    support: ClassVar[str]

    def expectation(self) -> float:
        """Mean of the law."""
        raise NotImplementedError

    def variance(self) -> float:
        """Variance of the law."""
        raise NotImplementedError

    def of_mean(self, mean: float) -> NumberSource:
        """The law of the same family with another mean. Raises CardError where there is none."""
        raise NotImplementedError

    def tilted(self, bias: float) -> NumberSource:
        """The law with its density times e^(theta x), theta such that the mean moves by `bias` standard deviations."""
        return self.of_mean(self.expectation() + bias * math.sqrt(self.variance()))


class Bernoulli(NumberSource, frozen=True):
    """1 with the given probability, else 0."""

    kind: ClassVar[str] = "bernoulli"
    support: ClassVar[str] = "0 and 1"
    probability: float

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.4),)

    def validate(self) -> None:
        require(0.0 < self.probability < 1.0, "probability must lie in (0, 1)", self.probability)

    def expectation(self) -> float:
        return self.probability

    def variance(self) -> float:
        return self.probability * (1.0 - self.probability)

    def of_mean(self, mean: float) -> Bernoulli:
        return Bernoulli(mean)


class Poisson(NumberSource, frozen=True):
    """Counts with the given mean, the rate."""

    kind: ClassVar[str] = "poisson"
    support: ClassVar[str] = "0, 1, 2, ..."
    rate: float

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(1.5),)

    def validate(self) -> None:
        require(0.0 < self.rate <= _MOST, f"rate must lie in (0, {_MOST:g}]", self.rate)

    def expectation(self) -> float:
        return self.rate

    def variance(self) -> float:
        return self.rate

    def of_mean(self, mean: float) -> Poisson:
        return Poisson(mean)


class Geometric(NumberSource, frozen=True):
    """Failures before the first success: 0, 1, 2, ... with the given mean."""

    kind: ClassVar[str] = "geometric"
    support: ClassVar[str] = "0, 1, 2, ..."
    mean: float

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(1.5),)

    def validate(self) -> None:
        require(0.0 < self.mean <= _MOST, f"mean must lie in (0, {_MOST:g}]", self.mean)

    def expectation(self) -> float:
        return self.mean

    def variance(self) -> float:
        return self.mean * (1.0 + self.mean)

    def of_mean(self, mean: float) -> Geometric:
        return Geometric(mean)


class Exponential(NumberSource, frozen=True):
    """Waiting times with the given mean."""

    kind: ClassVar[str] = "exponential"
    support: ClassVar[str] = "positive numbers"
    mean: float = 1.0

    def validate(self) -> None:
        require(math.isfinite(self.mean) and self.mean > 0.0, "mean must be positive and finite", self.mean)

    def expectation(self) -> float:
        return self.mean

    def variance(self) -> float:
        return self.mean**2

    def of_mean(self, mean: float) -> Exponential:
        return Exponential(mean)


class Gamma(NumberSource, frozen=True):
    """Sums of `shape` waiting times; any positive shape will do. Shape 1 is the exponential law."""

    kind: ClassVar[str] = "gamma"
    support: ClassVar[str] = "positive numbers"
    shape: float
    mean: float = 1.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(2.5),)

    def validate(self) -> None:
        require(0.01 <= self.shape <= 1e6, "shape must lie in [0.01, 1e6]", self.shape)
        require(math.isfinite(self.mean) and self.mean > 0.0, "mean must be positive and finite", self.mean)

    def expectation(self) -> float:
        return self.mean

    def variance(self) -> float:
        return self.mean**2 / self.shape

    def of_mean(self, mean: float) -> Gamma:
        return Gamma(self.shape, mean)


class Ising(NumberSource, frozen=True):
    """Spins of +1 and -1, each bound to every other: probability proportional to exp(spins coupling m^2 / 2), where the
    magnetisation m is the mean spin. The number is m^2: nothing else of a configuration says anything of the coupling.

    Args:
        spins: how many, 2 to 200. Of many, magnetisation sets in at coupling 1.
        coupling: inverse temperature; 0: independent spins, negative: spins that avoid each other.
    """

    kind: ClassVar[str] = "ising"
    support: ClassVar[str] = "squared magnetisations"
    spins: int
    coupling: float = 0.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(8, 0.5),)

    def validate(self) -> None:
        require(2 <= self.spins <= 200, "spins must lie in 2 .. 200", self.spins)
        require(math.isfinite(self.coupling), "coupling must be finite", self.coupling)
        require(self.variance() > 0.0, "the coupling leaves a law of one value; take one closer to 0", self.coupling)

    def levels(self) -> tuple[Float, Float]:
        """Squared magnetisations in increasing order, and the log number of configurations of each; float64."""
        ups = np.arange((self.spins + 1) // 2, self.spins + 1)
        ways = gammaln(self.spins + 1) - gammaln(ups + 1) - gammaln(self.spins - ups + 1)
        return (2.0 * ups / self.spins - 1.0) ** 2, ways + np.where(2 * ups == self.spins, 0.0, math.log(2.0))

    def _law(self) -> tuple[Float, Float]:
        """Squared magnetisations and their probabilities."""
        values, logs = self.levels()
        logs = logs + 0.5 * self.spins * self.coupling * values
        mass = np.exp(logs - logs.max())
        return values, mass / mass.sum()

    def expectation(self) -> float:
        values, law = self._law()
        return float(law @ values)

    def variance(self) -> float:
        values, law = self._law()
        return float(law @ (values - law @ values) ** 2)

    def of_mean(self, mean: float) -> Ising:
        from lightcollapse.kernels.exponential_family import solve_naturals

        values, logs = self.levels()
        inside = bool(values[0] < mean < values[-1])
        require(inside, f"a mean squared magnetisation must lie in ({values[0]:g}, 1)", mean, "take a smaller bias")
        natural = np.empty(1)
        solve_naturals(np.array([mean]), values, logs, natural)
        return Ising(self.spins, float(2.0 * natural[0] / self.spins))


_MOST = 1e9  # sums of all points stay whole numbers that a float holds
