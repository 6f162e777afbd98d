"""Rows about categorical laws: neutral Wright-Fisher drift, and what regimes and smoothing make of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, xlogy

from lightcollapse.families.categorical import tail_symbols
from lightcollapse.predictions import branching, smoothing, wright_fisher, wright_fisher_mixed
from lightcollapse.predictions.pairs import pair_diversity
from lightcollapse.scenario import Scenario
from lightcollapse.theorems.row import Float, Kind, Theorem, Values, one_late

Functional = Callable[[Float, Float], Float]  # vectorised over (frequencies, source probabilities)
Bounds = Callable[[Scenario, int], tuple[float, float]]

_NOTE = {
    "replace": "wright-fisher.md",
    "accumulate": "wright-fisher-mixed.md",
    "fresh-fraction": "wright-fisher-mixed.md",
    "fixed-real": "wright-fisher-mixed.md",
}


def _law(scenario: Scenario) -> Float:
    source: Any = scenario.source
    return np.asarray(source.probabilities(), dtype=np.float64)


def _smoothing(scenario: Scenario) -> float:
    family: Any = scenario.family
    return float(family.smoothing)


def _plain(scenario: Scenario) -> bool:
    return _smoothing(scenario) == 0.0


def _smoothed(scenario: Scenario) -> bool:
    return _smoothing(scenario) > 0.0


# Expected sums over symbols, one engine a regime.


def _replace_sum(scenario: Scenario, functional: Functional) -> Float:
    return wright_fisher.expected_sum_by_symbol(_law(scenario), scenario.sample_sizes(), functional)


def _accumulate_sum(scenario: Scenario, functional: Functional) -> Float:
    return wright_fisher_mixed.accumulate_expected_sum(_law(scenario), scenario.sample_sizes(), functional)


def _fresh_sum(scenario: Scenario, functional: Functional) -> Float:
    fresh = scenario.schedule()["fresh"]
    return wright_fisher_mixed.fresh_expected_sum(_law(scenario), scenario.sample_sizes(), fresh, functional)


def _fixed_sum(scenario: Scenario, functional: Functional) -> Float:
    sizes = scenario.sample_sizes()
    return wright_fisher_mixed.fixed_real_expected_sum(_law(scenario), int(sizes[0]), sizes[1:], functional)


def _kept_support(scenario: Scenario) -> Float:
    first = int(scenario.sample_sizes()[0])
    return wright_fisher_mixed.accumulate_support_mean(_law(scenario), first, scenario.generations)


_SUMS: dict[str, Callable[[Scenario, Functional], Float]] = {
    "replace": _replace_sum,
    "accumulate": _accumulate_sum,
    "fresh-fraction": _fresh_sum,
    "fixed-real": _fixed_sum,
}
_SUPPORTS: dict[str, Callable[[Scenario], Float]] = {
    "replace": lambda scenario: wright_fisher.support_mean(_law(scenario), scenario.sample_sizes()),
    "accumulate": _kept_support,
    "fresh-fraction": lambda scenario: _fresh_sum(scenario, wright_fisher_mixed.presences),
    "fixed-real": _kept_support,
}


# The range of each metric.


def _to(top: Callable[[Scenario], float]) -> Bounds:
    def bounds(scenario: Scenario, seed: int) -> tuple[float, float]:
        return 0.0, top(scenario)

    return bounds


def _symbols(scenario: Scenario) -> float:
    return float(np.count_nonzero(_law(scenario)))


def _log_rarest(scenario: Scenario) -> float:
    law = _law(scenario)
    return -math.log(float(law[law > 0].min()))


def _log_least(scenario: Scenario) -> float:
    """Largest KL(P0 || M_t) of a smoothed model."""
    k, V = _smoothing(scenario), len(_law(scenario))
    return math.log((float(scenario.sample_sizes().max()) + k * V) / k)


def _row(
    name: str,
    ids: tuple[str, ...],
    regimes: tuple[str, ...],
    metric: str,
    statement: str,
    note: str,
    values: Callable[[Scenario], Float],
    bounds: Bounds | None,
    *,
    kind: Kind = "exact mean",
    condition: Callable[[Scenario], bool] = _plain,
    near_miss: Callable[[Scenario], Float] | None = None,
    source: str = "derived for this package",
    error: float | None = None,
) -> Theorem:
    def expected(scenario: Scenario, seed: int) -> Float:
        return values(scenario)

    def missed(scenario: Scenario, seed: int) -> Float:
        assert near_miss is not None
        return near_miss(scenario)

    miss: Values = one_late(expected) if near_miss is None else missed
    return Theorem(
        name=f"categorical-{name}",
        ids=ids,
        family="categorical",
        regimes=regimes,
        metric=metric,
        kind=kind,
        statement=statement,
        note=note,
        source=source,
        values=expected,
        near_miss=miss,
        condition=condition,
        bounds=bounds,
        error=error,
    )


def _heterozygosity(scenario: Scenario) -> Float:
    law = _law(scenario)
    return pair_diversity(scenario.schedule()) * (1.0 - float(law @ law))


def _tail(scenario: Scenario) -> Float:
    """The tail's mass in the source, in every generation."""
    law = _law(scenario)
    return np.full(scenario.generations + 1, law[_tail_indices(scenario)].sum())


def _tail_indices(scenario: Scenario) -> NDArray[np.int64]:
    family: Any = scenario.family
    order, rare = tail_symbols(_law(scenario), family.tail_share)
    return order[:rare]


def _drained_tail(scenario: Scenario) -> Float:
    """The tail as a drift towards frequent symbols would leave it: less by a share 1/n in each generation."""
    share = 1.0 - 1.0 / float(scenario.sample_sizes()[0])
    return _tail(scenario) * share ** np.arange(scenario.generations + 1)


def _entropy_loss(entropies: Callable[[Scenario], Float]) -> Callable[[Scenario], Float]:
    """KL(M_t || P0) where every frequency is a martingale: what entropy the model lost."""

    def loss(scenario: Scenario) -> Float:
        expected = entropies(scenario)
        return np.asarray(np.maximum(expected[0] - expected, 0.0))

    return loss


def _regime_rows(regime: str, ids: dict[str, tuple[str, ...]]) -> list[Theorem]:
    note = _NOTE[regime]

    def entropies(scenario: Scenario) -> Float:
        return _SUMS[regime](scenario, wright_fisher_mixed.entropy_terms)

    def distances(scenario: Scenario) -> Float:
        return _SUMS[regime](scenario, wright_fisher_mixed.half_distances)

    return [
        _row(
            f"{regime}-entropy",
            ids["entropy"],
            (regime,),
            "entropy",
            "a symbol's count is a Markov chain, so the expected entropy is exact",
            note,
            entropies,
            _to(lambda scenario: math.log(_symbols(scenario)) if _symbols(scenario) > 1 else 1.0),
        ),
        _row(
            f"{regime}-support",
            ids["support"],
            (regime,),
            "support",
            "the expected number of surviving symbols, exact from the chain of one count",
            note,
            _SUPPORTS[regime],
            _to(_symbols),
        ),
        _row(
            f"{regime}-total-variation",
            ids["distance"],
            (regime,),
            "total_variation",
            "the expected total variation from the source, exact from the chain of one count",
            note,
            distances,
            _to(lambda scenario: 1.0),
        ),
        _row(
            f"{regime}-kl-model-source",
            ids["kl"],
            (regime,),
            "kl_model_source",
            "KL(M_t || P0) is the expected loss of entropy",
            note,
            _entropy_loss(entropies),
            _to(_log_rarest),
        ),
    ]


def _smoothed_sum(scenario: Scenario, functional: Functional) -> Float:
    return smoothing.smoothed_expected_sum_by_symbol(
        _law(scenario), scenario.sample_sizes(), _smoothing(scenario), functional
    )


def _smoothed_tail(scenario: Scenario) -> Float:
    means = smoothing.smoothed_probability_mean(_law(scenario), scenario.sample_sizes(), _smoothing(scenario))
    return np.asarray(means[:, _tail_indices(scenario)].sum(axis=1))


def _smoothed_reverse(scenario: Scenario) -> Float:
    law = _law(scenario)
    crossed = smoothing.smoothed_cross_entropy_mean(law, scenario.sample_sizes(), _smoothing(scenario))
    return np.asarray(crossed - entr(law).sum())


def _every_symbol(scenario: Scenario) -> Float:
    support = np.full(scenario.generations + 1, float(len(_law(scenario))))
    support[0] = _symbols(scenario)
    return support


def _forward_terms(share: Float, p: Float) -> Float:
    with np.errstate(divide="ignore"):
        return np.asarray(xlogy(share, share) - np.where(share > 0, share * np.log(p), 0.0))


def _positive(scenario: Scenario) -> bool:
    return _smoothed(scenario) and bool(_law(scenario).min() > 0)


CATEGORICAL: tuple[Theorem, ...] = (
    _row(
        "pairs-heterozygosity",
        ("C1.replace.H", "C2.acc.H", "C3.accsub.H", "C4.fresh.H", "F1.fixedreal.H", "C1.sched.H"),
        (),
        "heterozygosity",
        "heterozygosity falls by the factor h_t that gives the variance of a Gaussian, in every regime",
        "pairs.md",
        _heterozygosity,
        _to(lambda scenario: 1.0),
        source="Wright 1931; Kingman 1982; Seddik et al. 2024 (2404.05090) for replace",
    ),
    _row(
        "martingale-tail",
        (),
        (),
        "tail_mass",
        "without smoothing every frequency is a martingale: the tail's expected mass stays while its symbols are lost",
        "pairs.md",
        _tail,
        _to(lambda scenario: 1.0),
        near_miss=_drained_tail,
    ),
    *_regime_rows(
        "replace", {"entropy": ("C5.entropy",), "support": ("C6.support",), "distance": ("C23.TV",), "kl": ("C7.KL",)}
    ),
    *_regime_rows(
        "accumulate", {"entropy": ("C22.acc.ent",), "support": ("C21.acc.support",), "distance": (), "kl": ()}
    ),
    *_regime_rows(
        "fresh-fraction", {"entropy": ("C18.fresh.ent",), "support": ("C18.fresh.lost",), "distance": (), "kl": ()}
    ),
    *_regime_rows("fixed-real", {"entropy": (), "support": (), "distance": (), "kl": ()}),
    _row(
        "replace-support-branching",
        ("C10.support.branch", "C11.neff"),
        ("replace",),
        "support",
        "the surviving vocabulary is that of one real sample of the effective size n s_(t-1)",
        "rare-symbols.md",
        lambda scenario: branching.support_mean(_law(scenario), scenario.sample_sizes()),
        None,
        kind="approximation",
        error=0.15,
    ),
    _row(
        "smoothed-heterozygosity",
        ("S1.addk.H",),
        ("replace",),
        "heterozygosity",
        "smoothing is mutation towards the uniform law: heterozygosity obeys one linear map",
        "smoothing.md",
        lambda scenario: smoothing.smoothed_heterozygosity_mean(
            _law(scenario), scenario.sample_sizes(), _smoothing(scenario)
        ),
        _to(lambda scenario: 1.0),
        condition=_smoothed,
    ),
    _row(
        "smoothed-entropy",
        ("S2.addk.ent",),
        ("replace",),
        "entropy",
        "the expected entropy of the smoothed model, from the chain of one count",
        "smoothing.md",
        lambda scenario: smoothing.smoothed_entropy_mean(_law(scenario), scenario.sample_sizes(), _smoothing(scenario)),
        _to(lambda scenario: math.log(max(2, len(_law(scenario))))),
        condition=_smoothed,
    ),
    _row(
        "smoothed-support",
        (),
        ("replace", "accumulate", "accumulate-subsample", "fresh-fraction", "fixed-real"),
        "support",
        "a smoothed model gives mass to every symbol",
        "smoothing.md",
        _every_symbol,
        _to(lambda scenario: float(len(_law(scenario)))),
        condition=_smoothed,
        near_miss=lambda scenario: np.minimum(
            wright_fisher.support_mean(_law(scenario), np.full(scenario.generations, 2)), 0.9 * len(_law(scenario))
        ),
    ),
    _row(
        "smoothed-tail",
        ("S5.addk.mean",),
        ("replace",),
        "tail_mass",
        "smoothing pulls every expected probability to the uniform law",
        "smoothing.md",
        _smoothed_tail,
        _to(lambda scenario: 1.0),
        condition=_smoothed,
    ),
    _row(
        "smoothed-total-variation",
        (),
        ("replace",),
        "total_variation",
        "the expected total variation of the smoothed model, from the chain of one count",
        "smoothing.md",
        lambda scenario: _smoothed_sum(scenario, wright_fisher_mixed.half_distances),
        _to(lambda scenario: 1.0),
        condition=_smoothed,
    ),
    _row(
        "smoothed-kl-model-source",
        (),
        ("replace",),
        "kl_model_source",
        "the expected KL(M_t || P0) of the smoothed model, from the chain of one count",
        "smoothing.md",
        lambda scenario: _smoothed_sum(scenario, _forward_terms),
        _to(_log_rarest),
        condition=_positive,
    ),
    _row(
        "smoothed-kl-source-model",
        ("S3.addk.CE",),
        ("replace",),
        "kl_source_model",
        "smoothing keeps KL(P0 || M_t) finite: the expected cross-entropy less the source's entropy",
        "smoothing.md",
        _smoothed_reverse,
        _to(_log_least),
        condition=_smoothed,
    ),
)
