"""Estimators from counts: exact means over all samples, invariances, special cases, and naive twins."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import comb, digamma, gammaln, polygamma
from scipy.stats import multinomial

from lightcollapse.predictions import estimators, wright_fisher

COUNTS = st.lists(st.integers(0, 12), min_size=2, max_size=8).filter(lambda c: sum(c) >= 3 and len(c) >= 2)
ENTROPIES = [
    estimators.plug_in,
    estimators.miller_madow,
    estimators.jackknife,
    estimators.grassberger,
    estimators.chao_shen,
    estimators.chao_wang_jost,
]
OTHERS = [estimators.heterozygosity, estimators.good_turing, estimators.chao1, estimators.coverage]


def samples(p, n):
    """Every sample of n points and its chance."""
    counts = np.array([c for c in product(range(n + 1), repeat=len(p)) if sum(c) == n])
    return counts, multinomial.pmf(counts, n, p)


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("p", [[0.6, 0.3, 0.1], [0.25] * 4, [1.0, 0.0]])
def test_exact_means(p, n):
    counts, chance = samples(p, n)
    for function, mean in (
        (estimators.plug_in, estimators.plug_in_mean(p, n)),
        (estimators.miller_madow, estimators.miller_madow_mean(p, n)),
        (estimators.jackknife, estimators.jackknife_mean(p, n)),
        (estimators.grassberger, estimators.grassberger_mean(p, n)),
        (estimators.heterozygosity, estimators.heterozygosity_mean(p)),
        (estimators.good_turing, estimators.good_turing_mean(p, n)),
    ):
        assert np.isclose(chance @ function(counts), mean, rtol=1e-10, atol=1e-12), function.__name__
    for m in range(n + 1):
        assert np.isclose(chance @ estimators.rarefaction(counts, m), estimators.distinct_mean(p, m), rtol=1e-10)


@given(counts=COUNTS)
@pytest.mark.parametrize("function", ENTROPIES + OTHERS, ids=lambda f: f.__name__)
def test_order_and_unseen_symbols_do_not_matter(function, counts):
    value = function(counts)
    assert np.isfinite(value)
    assert np.isclose(value, function([*counts[::-1], 0, 0]), rtol=1e-12, atol=1e-12)
    assert np.allclose(function([counts, counts[::-1]]), value, rtol=1e-12, atol=1e-12)


@given(counts=COUNTS)
def test_jackknife_as_it_is_defined(counts):
    c = np.array(counts)
    n = int(c.sum())
    left_out = 0.0
    for i in np.flatnonzero(c):
        fewer = c.copy()
        fewer[i] -= 1
        left_out += c[i] / n * float(estimators.plug_in(fewer))
    defined = n * float(estimators.plug_in(c)) - (n - 1) * left_out
    assert np.isclose(estimators.jackknife(c), defined, rtol=1e-9, atol=1e-9)


@given(counts=COUNTS)
def test_chao_wang_jost_as_published(counts):
    c = np.array([x for x in counts if x])
    n = int(c.sum())
    once, twice = int((c == 1).sum()), int((c == 2).sum())
    shown = sum(x / n * sum(1 / k for k in range(x, n)) for x in c)
    if twice:
        A = 2 * twice / ((n - 1) * once + 2 * twice)
    elif once:
        A = 2 / ((n - 1) * (once - 1) + 2)
    else:
        A = 1.0
    hidden = 0.0
    if once and A < 1:
        rest = -np.log(A) - sum((1 - A) ** r / r for r in range(1, n))
        hidden = once / n * (1 - A) ** (1 - n) * rest
    assert np.isclose(estimators.chao_wang_jost(c), shown + hidden, rtol=1e-8, atol=1e-9)


def test_chao_wang_jost_of_many_points():
    """The published form cancels for large n; here the tail of the series is one integral."""
    counts = np.concatenate([np.full(10, 10**6), np.ones(1000), np.full(10, 2)])
    value = float(estimators.chao_wang_jost(counts))
    assert np.isclose(value, np.log(10), rtol=1e-2) and value > estimators.plug_in(counts)
    n, A = counts.sum(), 2 * 10 / ((counts.sum() - 1) * 1000 + 20)
    j = np.arange(2_000_000.0)
    terms = np.exp((j + 1) * np.log1p(-A)) / (n + j)
    bounds = terms.sum(), terms.sum() + quad(lambda x: np.exp((x + 1) * np.log1p(-A)) / (n + x), j[-1], 60 / A)[0]
    found = float(estimators._hidden(np.array(1 - A), np.array(n)))
    assert bounds[0] < found < bounds[1] * (1 + 1e-6)


def test_nsb_against_a_quadrature_of_its_definition():
    c = np.array([10, 5, 3, 1, 1, 1, 0, 0])
    K, n = len(c), int(c.sum())

    def weight(x):
        b = np.exp(x)
        evidence = gammaln(K * b) - gammaln(K * b + n) + np.sum(gammaln(c + b) - gammaln(b))
        return np.exp(evidence + 50) * (K * polygamma(1, K * b + 1) - polygamma(1, b + 1)) * b

    def mean(x):
        b = np.exp(x)
        return digamma(n + K * b + 1) - np.sum((c + b) / (n + K * b) * digamma(c + b + 1))

    below, above = -20.0, np.log(1e5)
    total = quad(weight, below, above, limit=200)[0]
    value = quad(lambda x: weight(x) * mean(x), below, above, limit=200)[0] / total
    assert np.isclose(estimators.nsb(c, strongest=1e5), value, rtol=1e-6)
    assert estimators.nsb(c, strongest=1e3) < estimators.nsb(c, strongest=1e5) < estimators.nsb(c)
    assert estimators.nsb([c, c[::-1]]).shape == (2,)


def test_nsb_of_plenty_of_points_is_the_entropy():
    p = np.array([0.5, 0.3, 0.2])
    truth = wright_fisher.entropy_term(p).sum()
    assert np.isclose(estimators.nsb(p * 1e6), truth, rtol=1e-5)


@given(counts=COUNTS)
def test_bounds_of_estimators(counts):
    c = np.array(counts)
    seen = np.count_nonzero(c)
    assert 0 <= estimators.plug_in(c) <= np.log(seen) + 1e-12
    assert estimators.plug_in(c) <= estimators.miller_madow(c) + 1e-12
    assert estimators.chao1(c) >= seen and 0 <= estimators.coverage(c) <= 1
    assert estimators.plug_in(c) - 1e-12 <= estimators.shrinkage(c) <= np.log(len(c)) + 1e-12
    assert 0 <= estimators.nsb(c) <= np.log(len(c)) + 1e-12


@given(counts=COUNTS, data=st.data())
def test_rarefaction_as_a_ratio_of_ways(counts, data):
    n = sum(counts)
    m = data.draw(st.integers(0, n))
    exact = sum(1 - comb(n - c, m, exact=True) / comb(n, m, exact=True) for c in counts)
    assert np.isclose(estimators.rarefaction(counts, m), exact, rtol=1e-9, atol=1e-12)


def test_rarefaction_at_its_ends():
    c = [5, 3, 0, 1]
    assert estimators.rarefaction(c, 0) == pytest.approx(0, abs=1e-14) and estimators.rarefaction(
        c, 1
    ) == pytest.approx(1)
    assert estimators.rarefaction(c, 9) == pytest.approx(3)
    with pytest.raises(ValueError, match="between 0 and"):
        estimators.rarefaction(c, 10)


def test_one_symbol_is_no_surprise():
    for function in ENTROPIES:
        bound = 0.5 / 50 if function is estimators.grassberger else 1e-12  # off by (-1)^c / (2 c)
        assert function([50, 0, 0]) == pytest.approx(0.0, abs=2 * bound)


def test_a_reading_is_one_more_generation():
    p = np.array([0.5, 0.3, 0.2])
    counts, chance = samples(p, 6)
    read = sum(w * estimators.plug_in_mean(c / 6, 4) for c, w in zip(counts, chance, strict=True))
    assert read == pytest.approx(wright_fisher.entropy_mean(p, [6, 4])[-1])


def test_means_of_large_laws_are_taken_in_blocks(monkeypatch):
    p = np.arange(1, 301.0)
    p /= p.sum()
    whole = estimators.grassberger_mean(p, 100)
    monkeypatch.setattr(estimators, "_CELLS", 1000)
    assert estimators.grassberger_mean(p, 100) == pytest.approx(whole, rel=1e-13)


def test_bad_counts_are_refused():
    for bad in ([1.5, 2], [-1, 3], [0, 0]):
        with pytest.raises(ValueError, match="counts must"):
            estimators.plug_in(bad)
    with pytest.raises(ValueError, match="at least 2"):
        estimators.heterozygosity([1, 0])
    with pytest.raises(ValueError, match="at least 2 entries"):
        estimators.nsb([5])
