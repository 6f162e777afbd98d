"""Families: what is fitted and sampled. To add one: a file beside this, and a line in FAMILIES."""

from __future__ import annotations

from lightcollapse.families.base import Block, Family, Simulation
from lightcollapse.families.categorical import Categorical
from lightcollapse.families.density import Empirical, KernelDensity
from lightcollapse.families.gaussian import Gaussian
from lightcollapse.families.gaussian_mixture import GaussianMixture
from lightcollapse.families.ising import Ising
from lightcollapse.families.linear_regression import LinearRegression
from lightcollapse.families.logistic_regression import LogisticRegression
from lightcollapse.families.markov import Markov
from lightcollapse.families.multivariate_gaussian import MultivariateGaussian
from lightcollapse.families.ngram import NGram
from lightcollapse.families.numbers import Bernoulli, Exponential, Gamma, GaussianMean, Geometric, Poisson
from lightcollapse.families.transformer import Transformer

FAMILIES: tuple[type[Family], ...] = (
    Gaussian,
    MultivariateGaussian,
    LinearRegression,
    LogisticRegression,
    GaussianMixture,
    Categorical,
    NGram,
    Transformer,
    Bernoulli,
    Poisson,
    Geometric,
    Exponential,
    Gamma,
    GaussianMean,
    Ising,
    Empirical,
    KernelDensity,
    Markov,
)

__all__ = [
    "FAMILIES",
    "Bernoulli",
    "Block",
    "Categorical",
    "Empirical",
    "Exponential",
    "Family",
    "Gamma",
    "Gaussian",
    "GaussianMean",
    "GaussianMixture",
    "Geometric",
    "Ising",
    "KernelDensity",
    "LinearRegression",
    "LogisticRegression",
    "Markov",
    "MultivariateGaussian",
    "NGram",
    "Poisson",
    "Simulation",
    "Transformer",
]
