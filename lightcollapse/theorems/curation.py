"""Rows about cards whose synthetic data are curated, under replacement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lightcollapse.predictions import curation, decoding, disturbed, gaussian, pairs, verification
from lightcollapse.scenario import Scenario
from lightcollapse.special import entr
from lightcollapse.theorems.row import Float, Kind, Theorem, Values, one_late

_FINITE = "disturbed.md"
_POINTS_A_GENERATION = 200  # sample size over generations from which the map of infinite samples is close


def _step(scenario: Scenario) -> Any:
    return scenario.curation[0]


def _law(scenario: Scenario) -> Float:
    source: Any = scenario.source
    return np.asarray(source.probabilities(), dtype=np.float64)


def _heterozygosity(law: Float) -> Float:
    return np.asarray(1.0 - np.sum(law**2, axis=-1))


def _plain(scenario: Scenario) -> bool:
    """Whether the fit is without smoothing."""
    family: Any = scenario.family
    return bool(family.smoothing == 0.0)


def _ml(scenario: Scenario) -> bool:
    family: Any = scenario.family
    return bool(family.variance == "ml" and scenario.sample_sizes().min() >= 2)


def _large(scenario: Scenario) -> bool:
    return bool(scenario.sample_sizes().min() >= _POINTS_A_GENERATION * scenario.generations)


def _no_step(scenario: Scenario, seed: int) -> Float:
    """The near miss of forgetting the curation: frequencies under plain replacement."""
    return np.asarray(_heterozygosity(_law(scenario)) * pairs.replace(scenario.sample_sizes()))


def _unit(scenario: Scenario, seed: int) -> tuple[float, float]:
    return 0.0, 1.0


def _row(
    family: str,
    step: str,
    name: str,
    metric: str,
    statement: str,
    values: Values,
    condition: Callable[[Scenario], bool],
    kind: Kind = "exact mean",
    note: str = _FINITE,
    near_miss: Values | None = None,
    source: str = "derived",
    ids: tuple[str, ...] = (),
    **more: Any,
) -> Theorem:
    return Theorem(
        name=f"{family}-{step}-{name}",
        ids=ids,
        family=family,
        regimes=("replace",),
        metric=metric,
        kind=kind,
        statement=statement,
        note=note,
        source=source,
        values=values,
        near_miss=near_miss or one_late(values),
        curation=(step,),
        condition=condition,
        **more,
    )


# Frequencies, any sample size.


def _thinned(scenario: Scenario, seed: int) -> Float:
    kept = disturbed.thinned_diversity(scenario.sample_sizes(), _step(scenario).true_positive)
    return np.asarray(_heterozygosity(_law(scenario)) * kept)


def _noisy(scenario: Scenario, seed: int) -> Float:
    law, sizes, rate = _law(scenario), scenario.sample_sizes(), _step(scenario).rate
    source = float(_heterozygosity(law))
    if _step(scenario).form == "source":
        return source * disturbed.replaced_diversity(sizes, rate)
    return disturbed.noisy_heterozygosity(sizes, rate, source, len(law))


# Frequencies, large samples: the map of infinite ones.


def _decoded(scenario: Scenario) -> Float:
    step = _step(scenario)
    return decoding.decoded_law(
        _law(scenario), scenario.generations, temperature=step.temperature, top_k=step.top_k, top_p=step.top_p
    )


def _tempered(scenario: Scenario) -> bool:
    """Whether temperature alone is at work, on samples of 200 points a generation or more, without smoothing.

    Cuts are left out: at a tie between symbols the map jumps, and samples fall on both sides of it.
    """
    step = _step(scenario)
    return _plain(scenario) and _large(scenario) and step.top_k == 0 and step.top_p == 1.0


def _preferred(scenario: Scenario) -> Float:
    step = _step(scenario)
    return curation.preferred_law(_law(scenario), step.reward, step.choices, scenario.generations)


def _selected(scenario: Scenario) -> Float:
    step = _step(scenario)
    return curation.top_fraction_law(_law(scenario), step.score, step.share, scenario.generations)


def _table(field: str) -> Callable[[Scenario], bool]:
    """The condition that the step's score is one number a symbol."""

    def scored(scenario: Scenario) -> bool:
        """Whether the score is one number a symbol, on 200 points a generation or more, without smoothing."""
        return _plain(scenario) and _large(scenario) and isinstance(getattr(_step(scenario), field), tuple)

    return scored


def _of_law(laws: Callable[[Scenario], Float], functional: Callable[[Float, Scenario], Float]) -> Values:
    return lambda scenario, seed: functional(laws(scenario), scenario)


def _entropy(law: Float, scenario: Scenario) -> Float:
    return np.asarray(entr(law).sum(axis=-1))


def _reward(law: Float, scenario: Scenario) -> Float:
    return np.asarray(law @ np.asarray(_step(scenario).reward))


def _score(law: Float, scenario: Scenario) -> Float:
    return np.asarray(law @ np.asarray(_step(scenario).score))


def _accuracy(scenario: Scenario, seed: int) -> Float:
    """Right answers in what model t wrote; model 1 is fitted to real data, so that the first step is to model 2."""
    step = _step(scenario)
    right = float(_law(scenario)[np.asarray(step.right, dtype=np.int64)].sum())
    wrong_pass = 1.0 - step.specificity
    later = verification.self_training_accuracy(right, scenario.generations - 1, step.sensitivity, wrong_pass)
    return np.concatenate([[right], later])


def _pass_rate(scenario: Scenario, seed: int) -> Float:
    step, accuracy = _step(scenario), _accuracy(scenario, seed)
    return np.asarray(accuracy * step.sensitivity + (1.0 - accuracy) * (1.0 - step.specificity))


def _learnable(scenario: Scenario) -> bool:
    """Whether right and wrong answers pass with a chance of 5 % or more each, on samples of 200 points a generation or
    more, without smoothing.
    """
    step = _step(scenario)
    return _plain(scenario) and _large(scenario) and min(step.sensitivity, 1.0 - step.specificity) > 0.05


# Gaussians, any sample size.


def _moments(scenario: Scenario) -> disturbed.Moments:
    step, sizes = _step(scenario), scenario.sample_sizes()
    family: Any = scenario.family
    if step.kind == "decoding":
        return disturbed.cut_variance(sizes, temperature=step.temperature, top_p=step.top_p, variance=family.variance)
    if step.kind == "noise":
        return disturbed.jittered_variance(sizes, step.rate, variance=family.variance)
    return disturbed.thinned_variance(sizes, step.true_positive)


def _scale(scenario: Scenario) -> float:
    source: Any = scenario.source
    return float(source.std**2)


def _variance(scenario: Scenario, seed: int) -> Float:
    return _scale(scenario) * _moments(scenario).variance


def _spread(scenario: Scenario, seed: int) -> Float:
    moments = _moments(scenario)
    return np.asarray(_scale(scenario) ** 2 * np.maximum(moments.variance_square - moments.variance**2, 0.0))


def _untouched(scenario: Scenario, seed: int) -> Float:
    """The near miss of forgetting the curation."""
    family: Any = scenario.family
    return _scale(scenario) * gaussian.variance_moment(scenario.sample_sizes(), variance=family.variance)


def _log_variance(scenario: Scenario, seed: int) -> Float:
    family: Any = scenario.family
    scale = float(_step(scenario).temperature)
    logs = gaussian.biased_log_variance_mean(scenario.sample_sizes(), scale, variance=family.variance)
    return np.asarray(np.log(_scale(scenario)) + logs)


def _log_spread(scenario: Scenario, seed: int) -> Float:
    family: Any = scenario.family
    return gaussian.log_variance_cumulant(scenario.sample_sizes(), 2, variance=family.variance)


def _varied(scenario: Scenario) -> bool:
    """Whether every sample has a variance: at least 2 points."""
    return bool(scenario.sample_sizes().min() >= 2)


def _jittered(scenario: Scenario) -> bool:
    """Whether the noise is jitter, and every sample has a variance."""
    return _varied(scenario) and bool(_step(scenario).form == "jitter")


def _warm(scenario: Scenario) -> bool:
    """Whether temperature alone is at work, and every sample has a variance."""
    return _varied(scenario) and bool(_step(scenario).top_p == 1.0)


def _removed(scenario: Scenario) -> bool:
    """Whether suspects are removed, not weighted, and the variance is fitted by maximum likelihood."""
    return _ml(scenario) and bool(_step(scenario).weight == 0.0)


def _removed_symbols(scenario: Scenario) -> bool:
    """Whether suspects are removed, not weighted, and the fit is without smoothing."""
    return _plain(scenario) and bool(_step(scenario).weight == 0.0)


def _highest(scenario: Scenario) -> bool:
    """Whether the score is the number itself, on samples of 200 points a generation or more."""
    return _large(scenario) and bool(_step(scenario).score == "value")


def _selected_gaussian(scenario: Scenario, seed: int) -> Float:
    chain = curation.top_fraction_gaussian(_step(scenario).share, scenario.generations)
    return np.asarray(_scale(scenario) * chain.variance)


_BERTRAND = "Ferbach et al. 2024 (2407.09499) for the setting; derived"

CURATION: tuple[Theorem, ...] = (
    _row("categorical", "detector", "heterozygosity", "heterozygosity",
         "removal of random points makes every sample smaller by a binomial number",
         _thinned, _removed_symbols, near_miss=_no_step, bounds=_unit),
    _row("categorical", "noise", "heterozygosity", "heterozygosity",
         "noise pulls two draws to the diversity of what is put in the place of points",
         _noisy, _plain, near_miss=_no_step, bounds=_unit),
    _row("categorical", "decoding", "heterozygosity", "heterozygosity",
         "large samples follow the map of temperature",
         _of_law(_decoded, lambda law, card: _heterozygosity(law)), _tempered,
         kind="approximation", note="decoding.md", error=0.02, ids=("T2.temp.det",)),
    _row("categorical", "decoding", "entropy", "entropy",
         "large samples follow the map of temperature",
         _of_law(_decoded, _entropy), _tempered,
         kind="approximation", note="decoding.md", error=0.02),
    _row("categorical", "preference", "mean-score", "mean_score",
         "the mean reward rises as large samples follow the map of choice among several",
         _of_law(_preferred, _reward), _table("reward"), kind="approximation", note="preference.md",
         source=_BERTRAND, error=0.02, ids=("F2.curate.K2",)),
    _row("categorical", "preference", "entropy", "entropy",
         "large samples follow the map of choice among several",
         _of_law(_preferred, _entropy), _table("reward"), kind="approximation", note="preference.md",
         source=_BERTRAND, error=0.02),
    _row("categorical", "top-fraction", "mean-score", "mean_score",
         "the mean score rises as the best share of what is left is kept",
         _of_law(_selected, _score), _table("score"), kind="approximation", note="selection.md", error=0.02),
    _row("categorical", "verifier", "accuracy", "accuracy",
         "an agent that learns from what passes the test gains the odds sensitivity / (1 - specificity) a generation",
         _accuracy, _learnable, kind="approximation", note="verification.md",
         source="Feng et al. 2024 (2406.07515) for the setting; derived", error=0.02),
    _row("categorical", "verifier", "pass-rate", "pass_rate",
         "the pass rate follows the accuracy",
         _pass_rate, _learnable, kind="approximation", note="verification.md",
         source="Feng et al. 2024 (2406.07515) for the setting; derived", error=0.02),
    _row("gaussian", "decoding", "variance", "variance",
         "the expected variance falls by the variance of what is left of the law",
         _variance, _varied, near_miss=_untouched, variance=_spread,
         source="Alemohammad et al. 2023 (2307.01850) for the setting; derived", ids=("G11.lambda.var",)),
    _row("gaussian", "decoding", "log-variance", "log_variance",
         "temperature adds its logarithm to the log variance in every generation",
         _log_variance, _warm, note="biased-sampling.md",
         variance=_log_spread, ids=("G11.lambda.log",)),
    _row("gaussian", "noise", "variance", "variance",
         "noise adds its variance before every fit",
         _variance, _jittered, near_miss=_untouched, variance=_spread),
    _row("gaussian", "detector", "variance", "variance",
         "removal of random points makes every sample smaller by a binomial number",
         _variance, _removed, near_miss=_untouched, variance=_spread),
    _row("gaussian", "top-fraction", "variance", "variance",
         "large samples lose the variance of a normal law cut at its best share",
         _selected_gaussian, _highest,
         kind="approximation", note="selection.md", error=0.02),
)  # fmt: skip
