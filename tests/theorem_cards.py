"""Small cards on which every theorem is tried: all regimes, both estimators, both ways to draw, growing samples."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from lightcollapse import families, sources
from lightcollapse.cli import card as cards
from lightcollapse.curation import Curation, Decoding, Detector, Noise, Preference, TopFraction, Verifier
from lightcollapse.errors import CardError
from lightcollapse.families import Categorical, Family, Gaussian, GaussianMixture, MultivariateGaussian, NGram
from lightcollapse.families.exponential_family import ExponentialFamily
from lightcollapse.loop import run
from lightcollapse.record import Record
from lightcollapse.regimes import (
    REGIMES,
    Accumulate,
    AccumulateSubsample,
    FixedReal,
    FreshFraction,
    Islands,
    Regime,
    Replace,
    Weighted,
    Window,
)
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Mixture, Normal, Probabilities, Source, Text, Uniform, Zipf

SEED = 2_718_281_828
REPLICATES = {"gaussian": 6000, "categorical": 6000, "gaussian-mixture": 5000, "ngram": 300}
REGIME_CARDS: tuple[Regime, ...] = (
    Replace(),
    Accumulate(),
    AccumulateSubsample(),
    FreshFraction(0.25),
    FreshFraction((0.5, 0.5, 0.25, 0.25, 0.2)),
    FreshFraction(0.25, bias=0.8),
    FixedReal(),
    FixedReal(share=0.5),
    FixedReal(weight=0.3),
    Weighted(0.6, 0.5),
    Window(3),
    Islands(3, own=0.5, shared=0.3),
)
assert {type(regime) for regime in REGIME_CARDS} == set(REGIMES)
GENERATIONS = 6
EQUAL = 12
GROWING = (8, 10, 13, 16, 20, 24)


def brief(regime: Regime) -> str:
    """The regime as a card's description says it."""
    return cards._brief(regime)


def possible(*parts: Any, **fields: Any) -> Iterator[Scenario]:
    """The card, or none where the family says that it cannot execute the regime."""
    try:
        yield Scenario(*parts, **fields)
    except CardError as error:
        assert re.search("cannot execute the recipe column|weighted fit needs|needs its points", str(error)), error


def gaussian() -> Iterator[tuple[str, Scenario]]:
    for regime in REGIME_CARDS:
        for variance in ("ml", "unbiased"):
            for sizes in (EQUAL, GROWING):
                for draws in ("statistics", "points"):
                    source = Normal() if sizes == EQUAL and draws == "statistics" else Normal(-3.0, 2.5)
                    family = Gaussian(variance, draws)
                    name = f"gaussian {variance} {brief(regime)} {'equal' if sizes == EQUAL else 'growing'} {draws}"
                    for card in possible(source, family, regime, sample_size=sizes, generations=GENERATIONS):
                        yield name, card
    yield (
        "gaussian ml replace pairs of points",
        Scenario(Normal(), Gaussian(), sample_size=2, generations=5),
    )
    yield (
        "gaussian unbiased replace large samples",
        Scenario(Normal(1.0, 0.01), Gaussian("unbiased"), sample_size=1000, generations=30),
    )


def categorical() -> Iterator[tuple[str, Scenario]]:
    sources = (
        Uniform(6),
        Zipf(12, 1.2, 0.5),
        Probabilities((0.5, 0.25, 0.15, 0.1, 0.0)),
    )
    for regime in REGIME_CARDS:
        for source in sources:
            for smoothing in (0.0, 0.5):
                draws = "points" if source.kind == "zipf" else "statistics"
                sizes = GROWING if source.kind == "probabilities" else EQUAL
                family = Categorical(smoothing, tail_share=0.35, draws=draws)  # type: ignore[arg-type]
                name = f"categorical {source.kind} {brief(regime)} smoothing {smoothing:g} {draws}"
                for card in possible(source, family, regime, sample_size=sizes, generations=GENERATIONS):
                    yield name, card
    yield (
        "categorical many symbols replace",
        Scenario(Zipf(300, 1.0), Categorical(), sample_size=300, generations=8),
    )


def numbers() -> Iterator[tuple[str, Scenario]]:
    """One-parameter exponential families."""
    parts: tuple[tuple[Source, ExponentialFamily], ...] = (
        (sources.Bernoulli(0.3), families.Bernoulli()),
        (sources.Poisson(0.8), families.Poisson()),
        (sources.Geometric(1.5), families.Geometric()),
        (sources.Exponential(2.0), families.Exponential()),
        (sources.Gamma(0.6, 2.0), families.Gamma()),
        (Normal(-3.0, 2.5), families.GaussianMean()),
        (sources.Ising(8, 0.6), families.Ising()),
    )
    for regime in REGIME_CARDS:
        for number, (source, family) in enumerate(parts):
            sizes = GROWING if number % 2 == 0 else EQUAL
            for card in possible(source, family, regime, sample_size=sizes, generations=GENERATIONS):
                yield f"{family.kind} {brief(regime)}", card
    for source, family in parts:
        points = replace(family, draws="points")
        yield f"{family.kind} points replace", Scenario(source, points, sample_size=EQUAL, generations=GENERATIONS)
        for regime in (Replace(), Accumulate(), AccumulateSubsample()):
            card = Scenario(source, family, regime, sample_size=400, generations=GENERATIONS)
            yield f"{family.kind} large samples {brief(regime)}", card


def mixture() -> Iterator[tuple[str, Scenario]]:
    line = Mixture((0.5, 0.3, 0.2), (-4.0, 0.0, 5.0), (1.0, 0.5, 2.0))
    plane = Mixture((0.6, 0.4), ((0.0, 0.0), (3.0, 1.0)), (((1.0, 0.5), (0.5, 2.0)), (0.5, 1.0)))
    forms: tuple[tuple[Source, GaussianMixture, Any], ...] = (
        (line, GaussianMixture(3), EQUAL),
        (plane, GaussianMixture(2, 2, "spherical", "k-means++", iterations=3), GROWING),
    )
    for number, regime in enumerate(REGIME_CARDS):
        source, family, sizes = forms[number % 2]
        yield (
            f"mixture {family.covariance} {brief(regime)}",
            Scenario(source, family, regime, sample_size=sizes, generations=GENERATIONS),
        )
    small = GaussianMixture(2, covariance="diagonal")
    yield "mixture few points replace", Scenario(line, small, sample_size=3, generations=4)


def multivariate() -> Iterator[tuple[str, Scenario]]:
    slanted = Mixture((1.0,), ((1.0, -2.0, 0.5),), (((2.0, 0.6, -0.3), (0.6, 1.0, 0.2), (-0.3, 0.2, 0.5)),))
    forms: tuple[tuple[Source, MultivariateGaussian, Any], ...] = (
        (Normal(-3.0, 2.5), MultivariateGaussian(2, variance="ml"), EQUAL),
        (slanted, MultivariateGaussian(3, variance="ml", draws="points"), GROWING),
        (slanted, MultivariateGaussian(3, variance="unbiased"), EQUAL),
        (Normal(1.0, 0.5), MultivariateGaussian(2, "diagonal"), GROWING),
        (Normal(), MultivariateGaussian(2, "diagonal", "unbiased", "points"), EQUAL),
    )
    for regime in REGIME_CARDS:
        for source, family, sizes in forms:
            name = f"multivariate {source.kind} {family.covariance} {family.variance} {brief(regime)}"
            for card in possible(source, family, regime, sample_size=sizes, generations=GENERATIONS):
                yield name, card
    yield (
        "multivariate ml replace fewer points than dimensions",
        Scenario(Normal(), MultivariateGaussian(6), sample_size=4, generations=GENERATIONS),
    )


def regression() -> Iterator[tuple[str, Scenario]]:
    plain, tilted = sources.LinearModel(dimension=2, noise=0.7), ((2.0, 0.5), (0.5, 1.0))
    slanted = sources.LinearModel((1.0, -0.5), covariance=tilted)
    forms: tuple[tuple[Source, families.LinearRegression, Any], ...] = (
        (plain, families.LinearRegression(), EQUAL),
        (slanted, families.LinearRegression(draws="points"), GROWING),
        (slanted, families.LinearRegression(design="fixed"), EQUAL),
        (sources.LinearModel(dimension=12, noise=0.1), families.LinearRegression(), 4),
    )
    for regime in (*REGIME_CARDS, FreshFraction(1.0)):
        for source, family, sizes in forms:
            name = f"regression {family.design} {family.draws} {brief(regime)}"
            for card in possible(source, family, regime, sample_size=sizes, generations=GENERATIONS):
                yield name, card
    ridge = families.LinearRegression(0.3)
    yield "ridge", Scenario(sources.LinearModel(dimension=25), ridge, sample_size=50, generations=GENERATIONS)


def chains() -> Iterator[tuple[str, Scenario]]:
    """Documents of two symbols, where results are exact, and longer ones of chains that forget their beginning."""
    rows = ((0.5, 0.3, 0.2), (0.2, 0.5, 0.3), (0.3, 0.3, 0.4))
    forms: tuple[tuple[Source, tuple[int, ...] | int], ...] = (
        (sources.Markov(rows, (0.1, 0.8, 0.1), document_length=2), tuple(2 * size for size in GROWING)),
        (sources.Markov(rows, document_length=8), 96),
    )
    for regime in REGIME_CARDS:
        for source, sizes in forms:
            name = f"markov {source.document_length} {brief(regime)}"  # type: ignore[attr-defined]
            for card in possible(source, families.Markov(), regime, sample_size=sizes, generations=GENERATIONS):
                yield name, card
    random = sources.RandomMarkov(6, document_length=25)
    yield "markov random replace", Scenario(random, families.Markov(), sample_size=100, generations=GENERATIONS)


def held() -> Iterator[tuple[str, Scenario]]:
    """Families whose models hold points."""
    parts: tuple[tuple[str, Source, Family], ...] = (
        ("empirical normal", Normal(-3.0, 2.5), families.Empirical()),
        ("empirical symbols", Zipf(7, 1.0), families.Empirical()),
        ("kernel-density fixed", Normal(1.0, 2.0), families.KernelDensity(bandwidth=1.2)),
        ("kernel-density silverman", Normal(1.0, 2.0), families.KernelDensity()),
        ("kernel-density scott", Normal(), families.KernelDensity(2, rule="scott")),
    )
    for regime in REGIME_CARDS:
        for number, (name, source, family) in enumerate(parts):
            sizes = GROWING if number % 2 else EQUAL
            for card in possible(source, family, regime, sample_size=sizes, generations=GENERATIONS):
                yield f"{name} {brief(regime)}", card


def curated() -> Iterator[tuple[str, Scenario]]:
    """Curation under replacement: small samples where a result holds at any size, large ones where at infinite size."""
    scores = tuple(float(i % 5) / 4 for i in range(12))
    small: tuple[tuple[Source, Family, Curation], ...] = (
        (Uniform(6), Categorical(), Detector(0.5, 0.1)),
        (Zipf(12, 1.2), Categorical(), Noise(0.2)),
        (Zipf(12, 1.2), Categorical(), Noise(0.2, "source")),
        (Normal(-3.0, 2.5), Gaussian(), Decoding(0.7)),
        (Normal(), Gaussian("unbiased"), Decoding(1.3, top_p=0.9)),
        (Normal(-3.0, 2.5), Gaussian(), Noise(0.5, "jitter")),
        (Normal(), Gaussian(), Detector(0.5, 0.1)),
    )
    large: tuple[tuple[Source, Family, Curation], ...] = (
        (Zipf(12, 1.0), Categorical(), Decoding(0.8)),
        (Zipf(12, 1.0), Categorical(), Preference(2, scores)),
        (Zipf(12, 1.0), Categorical(), TopFraction(0.7, scores)),
        (Zipf(12, 1.0), Categorical(), Verifier(0.9, 0.4, right=(3.0, 5.0))),
        (Normal(), Gaussian(), TopFraction(0.7, "value")),
    )
    for parts, sizes in ((small, GROWING), (large, 200 * GENERATIONS)):
        for source, family, step in parts:
            name = f"{family.kind} {brief(step)} curated"
            yield name, Scenario(source, family, curation=(step,), sample_size=sizes, generations=GENERATIONS)


def text(folder: Path) -> Iterator[tuple[str, Scenario]]:
    """Unigrams of a written text whose words follow Zipf's law."""
    generator = np.random.default_rng(5)
    letters = "abcdefghij"
    words = ["".join(letters[int(digit)] for digit in str(rank)) for rank in range(100, 400)]
    mass = 1.0 / np.arange(1.0, len(words) + 1)
    path = folder / "zipf.txt"
    lines = [" ".join(generator.choice(words, 30, p=mass / mass.sum())) for _ in range(40)]
    path.write_text("\n\n".join(lines), encoding="utf-8")
    source = Text(str(path), unit="words", document_length=25)
    yield "ngram order 1 ml replace", Scenario(source, NGram(1, smoothing="ml"), generations=4)
    yield "ngram order 2 ml replace", Scenario(source, NGram(2, smoothing="ml"), generations=4)
    yield "ngram order 2 witten-bell replace", Scenario(source, NGram(2), generations=2)


@functools.cache
def record(scenario: Scenario) -> Record:
    """The card's record, simulated once a process."""
    return run(scenario, seed=SEED, replicates=REPLICATES.get(scenario.family.kind, 3000), jobs=1)
