"""Rows about n-gram models of text: what the human counts alone foretell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.predictions import branching, wright_fisher
from lightcollapse.scenario import Scenario
from lightcollapse.theorems.row import Float, Kind, Theorem, Values, one_late

_LOST = 0.1  # largest share of symbols lost at which smoothing has little to give back


def _shares(scenario: Scenario, seed: int) -> tuple[Float, Any]:
    """Frequencies of the training part's symbols, and the text as the seed parts it."""
    source: Any = scenario.source
    human = source.human(seed)
    return human.counts / human.counts.sum(), human


def _resamplings(scenario: Scenario, seed: int, generation: int) -> NDArray[np.int64]:
    """Sizes of the samples between the human counts and the text that model `generation` is measured by.

    A first training set smaller than the training part is one more sample; it is drawn without replacement by whole
    documents, which the chain takes for independent symbols.
    """
    source: Any = scenario.source
    sizes = scenario.sample_sizes(seed)
    first = [] if sizes[0] == source.human(seed).size else [sizes[0]]
    return np.array([*first, *sizes[1:generation], sizes[0]], dtype=np.int64)


def _surviving(select: Callable[[Any], NDArray[np.bool_]], chain: Callable[[Float, Any], Float]) -> Values:
    """Expected number of the selected symbols in the text of each generation."""

    def values(scenario: Scenario, seed: int) -> Float:
        shares, human = _shares(scenario, seed)
        chosen = select(human)
        out = np.empty(scenario.generations + 1)
        sizes = scenario.sample_sizes(seed)
        whole = sizes[0] == human.size
        out[0] = np.count_nonzero(chosen) if whole else _expected(shares, chosen, sizes[:1], chain)
        if len(set(sizes.tolist())) == 1:
            path = _resamplings(scenario, seed, scenario.generations)
            out[1:] = _path(shares, chosen, path, chain)[-scenario.generations :]
        else:
            for t in range(1, scenario.generations + 1):
                out[t] = _expected(shares, chosen, _resamplings(scenario, seed, t), chain)
        return out

    return values


def _path(shares: Float, chosen: NDArray[np.bool_], sizes: Any, chain: Callable[[Float, Any], Float]) -> Float:
    """Expected number of chosen symbols after each sample: float64 (samples + 1,)."""
    lost = chain(shares[chosen], sizes)
    return np.asarray((1.0 - lost).sum(axis=1))


def _expected(shares: Float, chosen: NDArray[np.bool_], sizes: Any, chain: Callable[[Float, Any], Float]) -> float:
    return float(_path(shares, chosen, sizes, chain)[-1])


def _every(human: Any) -> NDArray[np.bool_]:
    return np.ones(human.alphabet, dtype=np.bool_)


def _words(human: Any) -> NDArray[np.bool_]:
    return np.array([str(value).isalpha() for value in human.values])


def _rare_words(human: Any) -> NDArray[np.bool_]:
    return np.isin(human.values.astype(str), list(human.rare_words))


def _whole(scenario: Scenario, seed: int) -> bool:
    source: Any = scenario.source
    return bool(scenario.sample_sizes(seed)[0] == source.human(seed).size)


def _anything(scenario: Scenario) -> bool:
    """Whether smoothing is "ml", or few symbols are lost: any other smoothing gives lost ones back."""
    return True


def _of_words(scenario: Scenario) -> bool:
    """Whether symbols are words, and smoothing is "ml" or few are lost: any other smoothing gives lost ones back."""
    source: Any = scenario.source
    return bool(source.unit == "words")


def _while_few_are_lost(values: Values) -> Values:
    """The same, but for cards whose smoothing gives back what is lost: there, while that is little."""

    def guarded(scenario: Scenario, seed: int) -> Float:
        family: Any = scenario.family
        expected = values(scenario, seed)
        if family.smoothing != "ml" and expected[-1] < (1.0 - _LOST) * expected[0]:
            raise ValueError(f'smoothing must be "ml" where more than {_LOST:.0%} is lost, got {family.smoothing}')
        return expected

    return guarded


_DRIFT = "derived; Suresh et al. 2024 (2412.17646) find that bigrams forget words as unigrams do"


def _rows(
    metric: str, select: Callable[[Any], NDArray[np.bool_]], condition: Callable[[Scenario], bool]
) -> list[Theorem]:
    """Three rows for one count of symbols: exact for unigrams, the chain, and branching for what the chain cannot."""

    def top(scenario: Scenario, seed: int) -> tuple[float, float]:
        return 0.0, float(np.count_nonzero(select(_shares(scenario, seed)[1])))

    def exact(scenario: Scenario, seed: int) -> Float:
        if not _whole(scenario, seed):
            raise ValueError("exact where the first training set is the whole training part")
        return chained(scenario, seed)

    chained = _surviving(select, wright_fisher.loss_probability)
    branched = _surviving(select, branching.loss_probability)
    little, rare = _while_few_are_lost(chained), _while_few_are_lost(branched)
    kinds: list[tuple[str, Kind, Values, tuple[str, ...], str]] = [
        ("exact", "exact mean", exact, ("C6.support",), "the words of a unigram model drift as neutral alleles"),
        ("chain", "approximation", little, ("C6.support", "C9.lost.exact"), "symbols are lost as by a unigram model"),
        ("branching", "approximation", rare, ("C10.lost.branch", "C11.neff"), "rare symbols die like families"),
    ]
    return [
        Theorem(
            name=f"text-{metric.replace('_', '-')}-{name}",
            ids=ids,
            family="ngram",
            regimes=("replace",),
            metric=metric,
            kind=kind,
            statement=statement,
            note="wright-fisher.md" if name != "branching" else "rare-symbols.md",
            source=_DRIFT,
            values=values,
            near_miss=one_late(values),
            condition=_unigram(condition) if name == "exact" else condition,
            bounds=top if name == "exact" else None,
        )
        for name, kind, values, ids, statement in kinds
    ]


def _unigram(condition: Callable[[Scenario], bool]) -> Callable[[Scenario], bool]:
    """The condition of exact rows."""

    def unigram(scenario: Scenario) -> bool:
        """Whether smoothing is "ml", the order is 1, and the first training set is the whole training part."""
        family: Any = scenario.family
        return condition(scenario) and bool(family.order == 1 and family.smoothing == "ml")

    return unigram


TEXT: tuple[Theorem, ...] = (
    *_rows("support", _every, _anything),
    *_rows("distinct_1", _every, _anything),
    *_rows("vocabulary", _words, _of_words),
    *_rows("rare_vocabulary", _rare_words, _of_words),
)
