"""The one-dimensional Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.families.base import (
    Block,
    Family,
    Simulation,
    integer_columns,
    needs_points,
    refuse_columns,
    refuse_source,
    weights,
)
from lightcollapse.schedule import Schedule
from lightcollapse.sources import Normal


class Gaussian(Family, frozen=True):
    """A normal law fitted by its mean and variance.

    Args:
        variance: "ml" divides by the size of the training set, "unbiased" by one less. Papers differ: always say which.
        draws: "points" draws every point; "statistics" draws the sample mean and a chi-square instead, which is equal
            in law and costs the same for any sample size; "auto" takes statistics wherever they suffice. For the very
            same first sample under every regime, say "points".
    """

    kind: ClassVar[str] = "gaussian"
    metrics: ClassVar[tuple[str, ...]] = (
        "mean",
        "variance",
        "std",
        "log_variance",
        "w2_squared",
        "kl_model_source",
        "kl_source_model",
    )
    columns: ClassVar[frozenset[str]] = frozenset({"fresh", "anchor", "oldest", "take", "weight"})
    absorbed_at: ClassVar[tuple[str, float]] = ("log_variance", -math.inf)
    variance: Literal["ml", "unbiased"] = "ml"
    draws: Literal["auto", "statistics", "points"] = "auto"

    def check(self, source: Any, schedule: Schedule) -> None:
        if not isinstance(source, Normal):
            raise refuse_source(self, source, "a normal source")
        refuse_columns(self, schedule)
        unbiased = self.variance == "unbiased"
        require(
            not unbiased or int(schedule["size"].min()) >= 2,
            "an unbiased variance needs a sample size of at least 2",
            int(schedule["size"].min()),
            'or variance="ml"',
        )
        require(
            not unbiased or bool(np.all(np.isnan(schedule["weight"]))),
            'a weighted fit needs variance="ml"',
            self.variance,
        )
        require(
            self.draws != "statistics" or not needs_points(schedule),
            "a training set that takes a part of a pool needs its points",
            self.draws,
            'use draws="auto" or "points"',
        )

    def prepare(self, source: Any, schedule: Schedule, seed: int) -> Simulation:
        return GaussianSimulation(self, source, schedule, seed)


@dataclass(frozen=True)
class GaussianSimulation:
    """A Gaussian card made ready to run; lanes are replicates."""

    family: Gaussian
    source: Normal
    schedule: Schedule
    seed: int

    @property
    def block_size(self) -> int:
        """64 lanes; fewer where kept points would take more than 64 MiB a block."""
        kept = int(self.schedule["sample"].sum() + self.schedule["fresh"][0]) if needs_points(self.schedule) else 0
        return 64 if kept == 0 else max(1, min(64, 2**23 // kept))

    def run_block(self, replicates: NDArray[np.uint64]) -> Block:
        from lightcollapse.kernels.gaussian import recursion
        from lightcollapse.kernels.rng import key

        keep = needs_points(self.schedule)
        out = np.empty((3, len(replicates), len(self.schedule) + 1))
        recursion(
            integer_columns(self.schedule),
            weights(self.schedule),
            self.family.variance == "unbiased",
            keep or self.family.draws == "points",
            keep,
            float(self.source.mean),
            float(self.source.std),
            replicates,
            *key(self.seed),
            out,
        )
        return Block(measures(out[0], out[1], out[2], self.source))


def measures(
    mean: NDArray[np.float64], variance: NDArray[np.float64], log_variance: NDArray[np.float64], source: Normal
) -> dict[str, NDArray[np.float64]]:
    """All metrics of a Gaussian from its moments; each array float64 (replicates, generations + 1).

    A collapsed model has infinite divergences, never NaN.
    """
    std = np.exp(0.5 * log_variance)
    log_ratio = log_variance - 2.0 * np.log(source.std)
    shift = ((mean - source.mean) / source.std) ** 2
    with np.errstate(over="ignore"):
        growth = np.expm1(log_ratio)
        inverse = np.exp(-log_ratio)
        collapsed = np.isposinf(inverse)
        reverse = 0.5 * (
            inverse + shift * np.where(collapsed, 0.0, inverse) - 1.0 + np.where(collapsed, 0.0, log_ratio)
        )
    return {
        "mean": mean,
        "variance": variance,
        "std": std,
        "log_variance": log_variance,
        "w2_squared": (mean - source.mean) ** 2 + (std - source.std) ** 2,
        "kl_model_source": 0.5 * (growth - log_ratio + shift),
        "kl_source_model": reverse,
    }
