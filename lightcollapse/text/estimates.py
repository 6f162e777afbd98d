"""What counts say of one generation, and of two: every estimator on all lanes (resamples) at once.

Results are float64 (lanes,). The estimators of entropy and of numbers of species are those of
`lightcollapse.predictions.estimators`, here on numbers of types by count.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lightcollapse.predictions.estimators import _grassberger_terms, _hidden
from lightcollapse.special import betaln, digamma, xlogy
from lightcollapse.text.counting import LIMIT, Counts

Float = NDArray[np.float64]

ENTROPIES = ("chao-wang-jost", "grassberger", "miller-madow", "plug-in")
_COUNT = np.arange(LIMIT, dtype=np.float64)[:, None]
_LONGEST_TAIL = 20_000  # counts for which the truncated series is summed
_RENEWAL = np.array([(-1.0) ** k * sum(math.comb(10, j) for j in range(k + 1, 11)) / 2.0**10 for k in range(10)])
_MOST_RESTLESS = 3.0
MOST_UNEQUAL = 500  # samples whose sizes differ by a larger factor are not compared


class Frequencies:
    """Numbers of n-gram types by count, of one generation in every lane."""

    def __init__(self, counts: Counts, row: int) -> None:
        self.n = counts.sizes[row].astype(np.float64)
        self.types = counts.types[row].astype(np.float64)
        self.types[0] = 0.0
        self.large = counts.frequent[:, row].astype(np.float64)

    def total(self, term: Callable[[Float], Float]) -> Float:
        """The sum over types of term(count), which is 0 at 0; counts are (counts, 1) or (types, lanes)."""
        large = np.where(self.large > 0, term(self.large), 0.0)
        return np.asarray((self.types * term(_COUNT)).sum(axis=0) + large.sum(axis=0))

    def seen(self, times: int) -> Float:
        """Types seen so many times."""
        return np.asarray(self.types[times] + (self.large == times).sum(axis=0))

    def support(self) -> Float:
        """Types seen."""
        return np.asarray(self.types.sum(axis=0) + (self.large > 0).sum(axis=0))

    def restlessness(self) -> float:
        """How many times as much texts of this size differ in their types as halves of this one do, at least 1.

        For independent n-grams, of lane 0. Texts: the variance of a Poisson count of types is how many types a second
        text would add, smoothed; a fixed number of n-grams takes f1^2/n from it. Halves: chances are binomial.
        Source: Good and Toulmin 1956; Efron and Thisted 1976 for the smoothing. The rest derived.
        """
        f, n = self.types[1:, 0], float(self.n[0])
        k = np.arange(1, LIMIT, dtype=np.float64)
        lost = np.exp2(-k)
        texts = float(_RENEWAL @ f[: len(_RENEWAL)]) - float(f[0]) ** 2 / n
        halves = float(f @ (lost * (1.0 - lost))) - float(f @ (k * lost)) ** 2 / n
        return min(max(1.0, math.sqrt(max(texts, 0.0) / halves)), _MOST_RESTLESS) if halves > 0 else 1.0

    def chao1(self) -> Float:
        """Least number of types there are, as `estimators.chao1`."""
        once, twice = self.seen(1), self.seen(2)
        return np.asarray(self.support() + (self.n - 1.0) / self.n * once * (once - 1.0) / (2.0 * (twice + 1.0)))

    def missing_mass(self) -> Float:
        """Mass of the types not seen, as `estimators.good_turing`."""
        return np.asarray(self.seen(1) / self.n)

    def heterozygosity(self) -> Float:
        """Chance that two n-grams differ, without bias, as `estimators.heterozygosity`."""
        return np.asarray(1.0 - self.total(lambda c: c * (c - 1.0)) / (self.n * (self.n - 1.0)))

    def entropy(self, estimator: str) -> Float:
        """Entropy in nats."""
        estimators: dict[str, Callable[[], Float]] = {
            "chao-wang-jost": self._chao_wang_jost,
            "grassberger": lambda: np.asarray(np.log(self.n) - self.total(_grassberger_terms) / self.n),
            "miller-madow": lambda: self._plug_in() + (self.support() - 1.0) / (2.0 * self.n),
            "plug-in": self._plug_in,
        }
        return estimators[estimator]()

    def _plug_in(self) -> Float:
        return np.asarray(np.log(self.n) - self.total(lambda c: xlogy(c, c)) / self.n)

    def _chao_wang_jost(self) -> Float:
        once, twice = self.seen(1), self.seen(2)
        rest = np.where(twice > 0, 2.0 * twice, 2.0)
        scale = np.where(twice > 0, (self.n - 1.0) * once, (self.n - 1.0) * np.maximum(once - 1.0, 0.0)) + rest
        shown = digamma(self.n) - self.total(lambda c: c * digamma(np.maximum(c, 1.0))) / self.n
        return np.asarray(shown + np.where(once > 0, once / self.n * _hidden(1.0 - rest / scale, self.n), 0.0))

    def distinct(self, points: float) -> Float:
        """Expected number of different types among so many n-grams, as `estimators.rarefaction`."""
        return self.total(lambda c: presence(c, self.n, points))

    def overlap(self, points: float) -> Float:
        """Chance that an n-gram occurs among `points` others of the generation: without bias for 1 - sum p (1 - p)^m.

        Derivation: one of the n, and m of the other n - 1, are a plain sample of m + 1.
        """
        return np.asarray(self.total(lambda c: c * presence(np.maximum(c - 1.0, 0.0), self.n - 1.0, points)) / self.n)


def presence(count: Float, n: Float, points: float) -> Float:
    """Chance that a type seen `count` times among n is among `points` of them: 1 - C(n - c, m)/C(n, m)."""
    left = n - count
    fits = left >= points
    logs = _log_choose(np.where(fits, left, points), points) - _log_choose(n, points)
    return np.asarray(-np.expm1(np.where(fits, np.minimum(logs, 0.0), -np.inf)))


def _log_choose(n: Float, m: float) -> Float:
    return np.asarray(-betaln(n - m + 1.0, m + 1.0) - np.log(n + 1.0))


def surprise(count: Float, n: Float, level: float) -> Float:
    """Without bias for the sum of (1 - p)^v/v over v = 1 .. level, which tends to -log p; counts (.., lanes).

    The sum of C(n - c, v)/(v C(n, v)) in closed form: H_n - H_c less what lies beyond `level`, whose difference in c is
    C(n - k, c + 1)/(n C(n - 1, c)). Needs level <= n. Source: the terms, Zhang and Grabchak 2014; the sum up to a level
    that is not n, derived.
    """
    whole = digamma(n + 1.0) - digamma(count + 1.0)
    if np.all(n == level):
        return np.asarray(whole)
    longest = int(min(_LONGEST_TAIL, np.ceil(40.0 * n.max() / level), count.max(initial=0.0)))
    later = np.arange(longest, dtype=np.float64)[:, None]
    room = n - level
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.maximum(room - later - 1.0, 0.0) * (later + 1.0) / ((later + 2.0) * np.maximum(n - 1.0 - later, 1.0))
    steps = np.vstack([room, room * np.cumprod(ratio, axis=0)[:-1]]) / n if longest else np.empty((0, len(n)))
    tail = np.vstack([np.zeros(len(n)), np.cumsum(steps, axis=0)])
    tail = np.maximum(digamma(n + 1.0) - digamma(level + 1.0) - tail, 0.0)
    place = np.minimum(count, longest).astype(np.int64)
    lanes = np.broadcast_to(np.arange(len(n)), np.broadcast_shapes(place.shape, n.shape))
    beyond = np.where(count <= longest, tail[np.broadcast_to(place, lanes.shape), lanes], 0.0)
    return np.asarray(whole - beyond)


def divergence(counts: Counts, pair: int, reverse: bool, level: float) -> Float:
    """KL(one || other) of a pair of rows, or KL(other || one): the sum of p (s(q) - s(p)), s(q) as in `surprise`.

    Exactly without bias at its level, so that two samples of one law have the mean 0, and never infinite: what the
    other never shows costs about log(level) + 0.58. Source: Zhang and Grabchak 2014, with one level for both.
    """
    one, other = counts.pairs[pair][::-1] if reverse else counts.pairs[pair]
    n = counts.sizes[one].astype(np.float64)
    m = np.maximum(counts.sizes[other].astype(np.float64), level)  # lane 0 lacks nothing of the baseline
    safe = np.maximum(n, 1.0)
    met = counts.met[2 * pair + (1 if reverse else 0)].astype(np.float64)
    large, there = counts.frequent[:, one].astype(np.float64), counts.frequent[:, other].astype(np.float64)
    met[0] = n - large.sum(axis=0) - met[1:].sum(axis=0)
    cross = (met * surprise(_COUNT, m, level)).sum(axis=0) + (large * surprise(there, m, level)).sum(axis=0)
    own = _own(counts, int(one), level)
    return np.asarray(cross / safe - own)


def _own(counts: Counts, row: int, level: float) -> Float:
    """The sum of p s(p)."""
    n = counts.sizes[row].astype(np.float64)
    small, large = counts.types[row].astype(np.float64), counts.frequent[:, row].astype(np.float64)
    others = np.maximum(n - 1.0, 1.0)
    total = (small * _COUNT * surprise(np.maximum(_COUNT - 1.0, 0.0), others, level)).sum(axis=0)
    total += (large * surprise(np.maximum(large - 1.0, 0.0), others, level)).sum(axis=0)
    return np.asarray(total / n)


def jensen_shannon(counts: Counts, pair: int) -> Float:
    """Jensen-Shannon divergence in nats, 0 .. log 2: of the frequencies, less the bias of second order.

    The bias is a quarter of the sum of ((1 - p) q/n + (1 - q) p/m)/(p + q) over the types that both show: Miller and
    Madow's, for three entropies. Derived.
    """
    one, other = counts.pairs[pair]
    n, m = (np.maximum(counts.sizes[row], 1).astype(np.float64) for row in (one, other))
    both = (counts.frequent[:, one] > 0) & (counts.frequent[:, other] > 0)
    shared_one = counts.met[2 * pair, 1:].sum(axis=0) + np.where(both, counts.frequent[:, one], 0).sum(axis=0)
    shared_other = counts.met[2 * pair + 1, 1:].sum(axis=0) + np.where(both, counts.frequent[:, other], 0).sum(axis=0)
    near = counts.near[pair] + _few(counts.joint[pair], n, m)
    alone = (1.0 - shared_one / n) + (1.0 - shared_other / m)
    return np.asarray(0.5 * (np.log(2.0) * alone + near[0]) - 0.25 * near[1])


def _few(joint: NDArray[np.int64], n: Float, m: Float) -> Float:
    """What the n-grams of few occurrences add to `Counts.near`: float64 (2, lanes)."""
    times = np.arange(1, len(joint), dtype=np.float64)
    u, v = times[:, None, None] / n, times[None, :, None] / m
    known = joint[1:, 1:]
    divergence = u * np.log(2.0 * u / (u + v)) + v * np.log(2.0 * v / (u + v))
    bias = ((1.0 - u) / n * v + (1.0 - v) / m * u) / (u + v)
    return np.stack([(known * divergence).sum(axis=(0, 1)), (known * bias).sum(axis=(0, 1))])


def retention(counts: Counts, row: int, points: float) -> Float:
    """Share of the rare types that are expected among `points` n-grams of a generation (row 0: the second half of the
    baseline; rare is what is rare in the first), without bias.
    """
    place = row if row else len(counts.types)
    n = counts.sizes[place].astype(np.float64)
    survivors = counts.survivors[row].astype(np.float64)
    survivors[0] = 0.0
    rare = (counts.frequent_half >= 1) & (counts.frequent_half <= counts.cut)
    large = counts.frequent[rare, place].astype(np.float64)
    found = (survivors * presence(_COUNT, n, points)).sum(axis=0) + presence(large, n, points).sum(axis=0)
    return np.asarray(found / max(counts.rare, 1))


def band_share(counts: Counts, band: int, row: int) -> Float:
    """Mass that a generation (row 0: the second half of the baseline) gives to the types of a band of frequency."""
    place = row if row else len(counts.types)
    return np.asarray(counts.bands[band, row] / np.maximum(counts.sizes[place], 1))
