"""Rows about categorical laws: neutral Wright-Fisher drift, and what regimes and smoothing make of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lightcollapse.families.base import EDGE_FAILURE
from lightcollapse.families.categorical import tail_symbols
from lightcollapse.predictions import branching, smoothing, wright_fisher, wright_fisher_mixed
from lightcollapse.predictions.pairs import Tilt, pair_diversity, tilted_share
from lightcollapse.regimes import FixedReal, Weighted
from lightcollapse.scenario import Scenario
from lightcollapse.special import entr, rel_entr, xlogy
from lightcollapse.theorems.row import Float, Kind, Theorem, Values, one_lab, one_late

Functional = Callable[[Float, Float], Float]  # vectorised over (frequencies, source probabilities)
Bounds = Callable[[Scenario, int], tuple[float, float]]

_LEFT = 3  # symbols from which on they are lost about independently
_NOTE = {
    "replace": "wright-fisher.md",
    "accumulate": "wright-fisher-mixed.md",
    "fresh-fraction": "wright-fisher-mixed.md",
    "fixed-real": "wright-fisher-mixed.md",
    "weighted": "wright-fisher-mixed.md",
}


def _law(scenario: Scenario) -> Float:
    source: Any = scenario.source
    return np.asarray(source.probabilities(), dtype=np.float64)


def _tilted(scenario: Scenario) -> Float | None:
    """Law of the tilted fresh points, None where there are none."""
    biases = scenario.schedule()["bias"]
    bias = float(biases[np.abs(biases).argmax()])
    source: Any = scenario.source
    return np.asarray(source.tilted(bias).probabilities(), dtype=np.float64) if bias else None


def _smoothing(scenario: Scenario) -> float:
    family: Any = scenario.family
    return float(family.smoothing)


def _plain(scenario: Scenario) -> bool:
    """Whether one model a generation is fitted without smoothing."""
    return _smoothing(scenario) == 0.0 and one_lab(scenario)


def _smoothed(scenario: Scenario) -> bool:
    """Whether something is added to every count."""
    return _smoothing(scenario) > 0.0


# Expected sums over symbols, one engine a regime.


def _replace_sum(scenario: Scenario, functional: Functional) -> Float:
    if functional is wright_fisher_mixed.entropy_terms:  # the same for every symbol, which large samples ask for
        return wright_fisher.entropy_mean(_law(scenario), scenario.sample_sizes())
    return wright_fisher.expected_sum_by_symbol(_law(scenario), scenario.sample_sizes(), functional)


def _accumulate_sum(scenario: Scenario, functional: Functional) -> Float:
    return wright_fisher_mixed.accumulate_expected_sum(_law(scenario), scenario.sample_sizes(), functional)


def _fresh_sum(scenario: Scenario, functional: Functional) -> Float:
    sizes, fresh = scenario.sample_sizes(), scenario.schedule()["fresh"]
    return wright_fisher_mixed.fresh_expected_sum(_law(scenario), sizes, fresh, functional, tilted=_tilted(scenario))


def _fixed_sum(scenario: Scenario, functional: Functional) -> Float:
    law, rows, regime = _law(scenario), scenario.schedule(), cast(FixedReal, scenario.regime)
    first, written = int(rows["fresh"][0]), rows["sample"][1:]
    if regime.share is not None:
        return wright_fisher_mixed.fixed_share_expected_sum(law, first, rows["anchor"][1:], written, functional)
    return wright_fisher_mixed.fixed_real_expected_sum(law, first, written, functional, weight=regime.weight)


def _weighted_sum(scenario: Scenario, functional: Functional) -> Float:
    rows, regime = scenario.schedule(), cast(Weighted, scenario.regime)
    return wright_fisher_mixed.weighted_expected_sum(
        _law(scenario), int(rows["fresh"][0]), rows["fresh"][1:], rows["sample"][1:], regime.weight, functional
    )


def _kept_support(scenario: Scenario) -> Float:
    first = int(scenario.sample_sizes()[0])
    return wright_fisher_mixed.accumulate_support_mean(_law(scenario), first, scenario.generations)


def _fixed_support(scenario: Scenario) -> Float:
    """What a whole first sample holds is never lost, unless it has no weight."""
    regime = cast(FixedReal, scenario.regime)
    if regime.share is None and regime.weight != 0.0:
        return _kept_support(scenario)
    return _fixed_sum(scenario, wright_fisher_mixed.presences)


_SUMS: dict[str, Callable[[Scenario, Functional], Float]] = {
    "replace": _replace_sum,
    "accumulate": _accumulate_sum,
    "fresh-fraction": _fresh_sum,
    "fixed-real": _fixed_sum,
    "weighted": _weighted_sum,
}
_SUPPORTS: dict[str, Callable[[Scenario], Float]] = {
    "replace": lambda scenario: wright_fisher.support_mean(_law(scenario), scenario.sample_sizes()),
    "accumulate": _kept_support,
    "fresh-fraction": lambda scenario: _fresh_sum(scenario, wright_fisher_mixed.presences),
    "fixed-real": _fixed_support,
    "weighted": lambda scenario: _weighted_sum(scenario, wright_fisher_mixed.presences),
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
    law, tilted = _law(scenario), _tilted(scenario)
    whole = 1.0 - float(law @ law)
    if tilted is None or whole <= 0.0:
        return pair_diversity(scenario.schedule()) * whole
    tilt = Tilt((1.0 - float(tilted @ tilted)) / whole, (1.0 - float(law @ tilted)) / whole)
    return pair_diversity(scenario.schedule(), tilt) * whole


def _tail(scenario: Scenario) -> Float:
    """The tail's mass in the source, in every generation, and in tilted data where a draw descends from it."""
    law, tilted, tail = _law(scenario), _tilted(scenario), _tail_indices(scenario)
    kept = np.full(scenario.generations + 1, law[tail].sum())
    return kept if tilted is None else kept + tilted_share(scenario.schedule()) * (tilted[tail].sum() - kept[0])


def _tail_indices(scenario: Scenario) -> NDArray[np.int64]:
    family: Any = scenario.family
    order, rare = tail_symbols(_law(scenario), family.tail_share)
    return order[:rare]


def _tailed(scenario: Scenario) -> bool:
    """Whether one model a generation is fitted without smoothing, and some symbol that occurs is rare."""
    return _plain(scenario) and bool(np.any(_law(scenario)[_tail_indices(scenario)] > 0.0))


def _in_tail(scenario: Scenario, p: Float) -> Float:
    """Share of the symbols of source probability p that the tail holds: a tie at its edge is held in part."""
    values, place, counts = np.unique(_law(scenario), return_inverse=True, return_counts=True)
    held = np.bincount(place[_tail_indices(scenario)], minlength=len(values)) / counts
    return held[np.searchsorted(values, p)]


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


def _divergence_terms(share: Float, p: Float) -> Float:
    """Each symbol's part of KL(M_t || P0); a symbol that the source lacks never appears."""
    return np.where(p > 0.0, rel_entr(share, np.maximum(p, np.finfo(np.float64).tiny)), 0.0)


def _regime_rows(regime: str, ids: dict[str, tuple[str, ...]]) -> list[Theorem]:
    note = _NOTE[regime]

    def entropies(scenario: Scenario) -> Float:
        return _SUMS[regime](scenario, wright_fisher_mixed.entropy_terms)

    def distances(scenario: Scenario) -> Float:
        return _SUMS[regime](scenario, wright_fisher_mixed.half_distances)

    def divergences(scenario: Scenario) -> Float:
        if _tilted(scenario) is None:
            return _entropy_loss(entropies)(scenario)
        return _SUMS[regime](scenario, _divergence_terms)

    def failures(scenario: Scenario) -> Float:
        failed = _SUMS[regime](
            scenario, lambda share, p: np.where(share < EDGE_FAILURE * p, p, 0.0) * _in_tail(scenario, p)
        )
        return failed / float(_law(scenario)[_tail_indices(scenario)].sum())

    def retained(scenario: Scenario) -> Float:
        kept = _SUMS[regime](scenario, lambda share, p: (share > 0.0) * (p > 0.0) * _in_tail(scenario, p))
        return kept / float(np.count_nonzero(_law(scenario)[_tail_indices(scenario)]))

    return [
        _row(
            f"{regime}-edge-case-failure",
            (),
            (regime,),
            "edge_case_failure",
            "the chance that a rare symbol's frequency falls below a tenth, exact from the chain of one count",
            note,
            failures,
            _to(lambda scenario: 1.0),
            condition=_tailed,
        ),
        _row(
            f"{regime}-rare-retention",
            (),
            (regime,),
            "rare_retention",
            "the chance that a rare symbol survives, exact from the chain of one count",
            note,
            retained,
            _to(lambda scenario: 1.0),
            condition=_tailed,
        ),
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
            "KL(M_t || P0) is the expected loss of entropy, where no fresh data is tilted",
            note,
            divergences,
            _to(_log_rarest),
        ),
    ]


def _effective_support(scenario: Scenario) -> Float:
    """Support by branching, which counts on symbols that die apart from one another.

    Raises ValueError where fewer than 3 are expected to be left: there it is more than 12 % off.
    """
    expected = branching.support_mean(_law(scenario), scenario.sample_sizes())
    if expected.min() < _LEFT:
        raise ValueError(f"at least {_LEFT} symbols must be expected to be left, got {expected.min():.3g}")
    return expected


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
    """Whether something is added to every count, and the source can write every symbol."""
    return _smoothed(scenario) and bool(_law(scenario).min() > 0)


CATEGORICAL: tuple[Theorem, ...] = (
    _row(
        "pairs-heterozygosity",
        ("C1.replace.H", "C2.acc.H", "C3.accsub.H", "C4.fresh.H", "F1.fixedreal.H", "C1.sched.H"),
        (),
        "heterozygosity",
        "heterozygosity falls by a factor h_t, of pairs of draws: without tilted data that of a Gaussian's variance",
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
        "without smoothing or tilt every frequency is a martingale: the tail's expected mass stays, its symbols go",
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
    *_regime_rows("weighted", {"entropy": (), "support": (), "distance": (), "kl": ()}),
    _row(
        "replace-support-branching",
        ("C10.support.branch", "C11.neff"),
        ("replace",),
        "support",
        "the surviving vocabulary is that of one real sample of the effective size n s_(t-1)",
        "rare-symbols.md",
        _effective_support,
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
