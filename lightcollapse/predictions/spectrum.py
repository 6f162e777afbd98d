"""Expected course of a text's vocabulary from how often each type occurs: closed forms over frequencies of frequencies.

Types that occur equally often share one chain of a count, so that ten million types cost no more than a few hundred
counts. A generation writes n tokens; a type with k of the last generation's n has mean n m(k/n), and the variance of a
multinomial count times `dispersion`. Here m mixes a share of fresh data with what was written and sharpens by a
temperature. Rare types follow the whole law of their count, frequent ones its first two moments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions._checks import Float, require
from lightcollapse.predictions.estimators import _hidden
from lightcollapse.predictions.wright_fisher import _agreement_step
from lightcollapse.special import gammaln, psi, xlog1py, xlogy

LONGEST = 100  # generations
_RARE, _STEEP = 48, 8.0  # types seen up to max(_RARE, _STEEP x dispersion x generations) times are followed exactly
_MOST_RARE = 400
_WIDE = 10.0  # standard deviations above the mean to which a law is followed
_RAW = 3  # counts up to which numbers of types are taken as they are
_NODES = 16  # probabilities in the source for which transitions are worked out
NAMES = ("support", "entropy", "heterozygosity", "kl")


@dataclass(frozen=True)
class Classes:
    """Types that are alike.

    Attributes:
        count: float64 (classes,) tokens of each in the text that the forecast starts from, of `size` tokens.
        times: types in each class.
        source: estimated probability in the source; reference: what KL is taken against (0: the class is left out).
        band: int64, by how often the baseline has them; -1 for none.
    """

    count: Float
    times: Float
    source: Float
    reference: Float
    band: NDArray[np.int64]
    size: float


@dataclass(frozen=True)
class Course:
    """What is expected of generations 0 .. T, generation 0 the text itself.

    Attributes:
        mean, variance: by name, float64 (T + 1,): expectation, and variance from run to run.
        parts: by name, float64 (T + 1, classes): what one type of each class is expected to give.
    """

    mean: dict[str, Float]
    variance: dict[str, Float]
    parts: dict[str, Float]


def classes(counts: ArrayLike, source: ArrayLike | None = None) -> Classes:
    """Classes of a text by itself: one for each count. `source` (types,) are probabilities, the frequencies if None.

    Derivation: theory/forecast.md. Source: derived.
    """
    c = np.asarray(counts)
    require(c.ndim == 1 and len(c) > 0 and bool(np.all(c >= 0)), "counts must be a list of numbers from 0 up", c.shape)
    values, times = tally(c)
    size = float(values @ times)
    require(size >= 2, "counts must sum to at least 2", size)
    if source is None:
        return Classes(values, times, values / size, values / size, band_of(values), size)
    p = np.zeros(len(values))
    p[np.searchsorted(values, c)] = np.asarray(source, dtype=np.float64)
    return Classes(values, times, p, p, band_of(values), size)


def tally(counts: ArrayLike) -> tuple[Float, Float]:
    """Counts above 0 that occur, and how many types have each: two float64 (counts that occur,).

    Derivation: theory/forecast.md. Source: Good 1953 for frequencies of frequencies.
    """
    c = np.asarray(counts)
    if np.issubdtype(c.dtype, np.integer) and int(c.max()) <= 1 << 24:
        found = np.bincount(c)
        values = np.flatnonzero(found[1:]) + 1
        return values.astype(np.float64), found[values].astype(np.float64)
    values, times = np.unique(c[c > 0], return_counts=True)
    return values.astype(np.float64), times.astype(np.float64)


BANDS = ("1", "2-3", "4-7", "8-15", "16-31", "32+")


def band_of(counts: ArrayLike) -> NDArray[np.int64]:
    """Which of BANDS a baseline count lies in; -1 for types that it lacks.

    Derivation: theory/forecast.md. Source: derived.
    """
    c = np.asarray(counts, dtype=np.float64)
    return np.where(c > 0, np.minimum(np.log2(np.maximum(c, 1.0)).astype(np.int64), len(BANDS) - 1), -1)


def good_shares(values: Float, times: Float) -> Float:
    """Mean probability in the source of a type seen so often: Good's (c + 1) f_(c+1)/(n f_c), with smooth f from 4 up.

    `values` are the counts that occur and `times` how many types have each, (counts,). Smooth: log f falls linearly
    with log c, so that a count c stands for c (1 + 1/c)^(slope + 1); counts 1 to 3 take the f themselves where these
    are 10 or more and the order of the counts stands. The sum over types is near 1 less the missing mass.

    Derivation: theory/forecast.md. Source: Good 1953; Gale and Sampson 1995 for the line.
    """
    n = float(values @ times)
    p, before = values / n * (1.0 + 1.0 / values) ** (_slope(values, times) + 1.0), 0.0
    for k in range(1, _RAW + 1):
        here, after = (float(times[values == c].sum()) for c in (k, k + 1))
        value = (k + 1.0) * after / (n * here) if here else 0.0
        if min(here, after) < 10 or not before < value < (k + 0.5) / n:
            break
        p[values == k] = before = value
    return np.asarray(p)


def _slope(values: Float, times: Float) -> float:
    """Slope of the logarithm of how many types a count has, spread over the gap to its neighbours; at most -1."""
    if len(values) < 4:
        return -1.0
    before = np.concatenate([[0.0], values[:-1]])
    after = np.concatenate([values[1:], [2.0 * values[-1] - values[-2]]])
    x, y = np.log(values), np.log(times / (0.5 * (after - before)))
    x = x - x.mean()
    return float(np.clip(x @ y / (x @ x), -3.0, -1.0))


def good_spread(values: Float, times: Float) -> Float:
    """Variance of that probability among types seen so often: by Good's second moment where his first stands.

    (c + 1)(c + 2) f_(c+2)/(n^2 f_c) less the square of the mean, within a factor 2 of the mean over n, which is the
    Gamma law's and stands elsewhere.

    Derivation: theory/forecast.md. Source: Good 1953.
    """
    n = float(values @ times)
    share = good_shares(values, times)
    spread = share / n
    for k in range(1, _RAW + 1):
        place = np.flatnonzero(values == k)
        if len(place):
            here, after = float(times[place[0]]), float(times[values == k + 2].sum())
            if min(here, after) >= 10:
                second = (k + 1.0) * (k + 2.0) * after / (n**2 * here) - float(share[place[0]]) ** 2
                spread[place] = min(max(second, 0.5 * spread[place[0]]), 2.0 * spread[place[0]])
    return np.asarray(spread)


def good_doubt(values: Float, times: Float) -> Float:
    """Squared relative error of Good's shares: 1/f_c + 1/f_(c+1) where they stand, 1/(c f_c) elsewhere.

    Derivation: theory/forecast.md. Source: derived.
    """
    doubt = 1.0 / (values * times)
    for k in range(1, _RAW + 1):
        place = np.flatnonzero(values == k)
        after = float(times[values == k + 1].sum())
        if len(place) and after:
            doubt[place] = 1.0 / float(times[place[0]]) + 1.0 / after
    return np.asarray(doubt)


def entropy_of_spectrum(values: Float, times: Float) -> float:
    """Entropy of the source by Chao, Wang and Jost's estimator, from the counts that occur and their numbers of types.

    Derivation: theory/estimators.md. Source: Chao, Wang and Jost 2013.
    """
    n = float(values @ times)
    shown = float(times @ (values / n * (psi(n) - psi(values))))
    once, twice = (float(times[values == c].sum()) for c in (1, 2))
    if once == 0:
        return shown
    rest = 2.0 * twice if twice else 2.0
    scale = ((n - 1.0) * once if twice else (n - 1.0) * max(once - 1.0, 0.0)) + rest
    return shown + once / n * float(_hidden(np.asarray(1.0 - rest / scale), np.asarray(n)))


def count_rows(means: ArrayLike, size: float, dispersion: ArrayLike, top: int) -> Float:
    """Laws of counts 0 .. top with these means and variance mean (1 - mean/size) x dispersion: (means, top + 1).

    Binomial where the variance is below the mean (exactly the binomial one at dispersion 1), Poisson where they agree,
    negative binomial above; what lies beyond the top is added to it. `dispersion` is a number or one for each mean.

    Derivation: theory/forecast.md. Source: derived.
    """
    mean = np.atleast_1d(np.asarray(means, dtype=np.float64))[:, None]
    k = np.arange(top + 1, dtype=np.float64)[None, :]
    spread = np.broadcast_to(np.asarray(dispersion, dtype=np.float64), mean.shape[:1])[:, None]
    if np.all(spread == 1.0) and top <= size:  # one binomial coefficient serves all rows
        choose = gammaln(size + 1.0) - gammaln(k + 1.0) - gammaln(size - k + 1.0)
        share = np.minimum(mean / size, 1.0)
        rows = np.exp(choose + xlogy(k, share) + xlog1py(size - k, -share))
        total = rows.sum(axis=1)
        rows[:, top] += np.maximum(1.0 - total, 0.0)
        return np.asarray(rows / np.maximum(total, 1.0)[:, None])
    inner = np.clip(1.0 - spread * (1.0 - mean / size), -1e12, 1.0)  # 1 - variance / mean
    rows = np.zeros((mean.shape[0], top + 1))
    near = (np.abs(inner[:, 0]) < 1e-9) | (mean[:, 0] <= 0)
    less, more = (inner[:, 0] > 0) & ~near, (inner[:, 0] < 0) & ~near
    if near.any():
        m = mean[near]
        rows[near] = np.exp(xlogy(k, m) - m - gammaln(k + 1.0))
    if less.any():
        m, q = mean[less], inner[less]
        trials = np.maximum(np.rint(m / q), np.ceil(m))  # whole, so that the mean is kept
        room = np.maximum(trials - k, 0.0)
        share = m / trials
        logs = gammaln(trials + 1.0) - gammaln(k + 1.0) - gammaln(room + 1.0) + xlogy(k, share) + xlog1py(room, -share)
        rows[less] = np.where(k <= trials, np.exp(logs), 0.0)
    if more.any():
        m, q = mean[more], -inner[more]
        shape = m / q
        logs = gammaln(k + shape) - gammaln(k + 1.0) - gammaln(shape) + k * np.log(q / (1.0 + q))
        rows[more] = np.exp(logs - shape * np.log1p(q))
    total = rows.sum(axis=1)
    rows[:, top] += np.maximum(1.0 - total, 0.0)
    return np.asarray(rows / np.maximum(total, 1.0)[:, None])


def course(
    start: Classes,
    generations: int,
    *,
    sample_size: float | None = None,
    dispersion: float = 1.0,
    temperature: float = 1.0,
    fresh: float = 0.0,
    first_dispersion: float | None = None,
    rare_dispersion: float | None = None,
) -> Course:
    """Expectation and run-to-run variance of support, entropy, heterozygosity, KL and survival by band.

    Exact for up to a few hundred tokens at dispersion 1 without temperature or fresh data, where it is the chain of
    `wright_fisher`; else an approximation: types seen often by their first two moments, types as independent but for
    their sum. `first_dispersion` is that of the first step where it differs: 1 - m/n for m of n tokens drawn without
    replacement. `rare_dispersion` is that of types followed by the whole law of their count, where it differs. Raises
    ValueError on arguments out of range.

    Derivation: theory/forecast.md. Source: Wright 1931; Harris 1963; derived.
    """
    require(0 <= generations <= LONGEST, f"generations must lie in 0 .. {LONGEST}", generations)
    require(dispersion > 0, "dispersion must exceed 0", dispersion)
    require(temperature > 0, "temperature must exceed 0", temperature)
    require(0 <= fresh <= 1, "fresh must lie in [0, 1]", fresh)
    n = float(start.size if sample_size is None else sample_size)
    require(n >= 1, "sample_size must be at least 1", n)
    require(rare_dispersion is None or rare_dispersion > 0, "rare_dispersion must exceed 0", rare_dispersion)
    made = (dispersion, first_dispersion, rare_dispersion)
    return _Engine(start, generations, n, made, 1.0 / temperature, fresh).run()


class _Engine:
    def __init__(
        self,
        start: Classes,
        generations: int,
        n: float,
        spread: tuple[float, float | None, float | None],
        beta: float,
        fresh: float,
    ) -> None:
        dispersion, first, rare = spread
        self.start, self.T, self.n, self.v, self.beta, self.fresh = start, generations, n, dispersion, beta, fresh
        self.v_first = dispersion if first is None else first
        self.v_rare = dispersion if rare is None else rare
        self.v_rare_first = self.v_rare if first is None else first
        here = start.count / start.size
        settled = 1.0 / (fresh * (2.0 - fresh)) if fresh > 0 else np.inf  # drift no longer grows with time then
        self.time = max(min(float(generations), settled), 1.0)
        limit = min(max(_RARE, _STEEP * dispersion * self.time), _MOST_RARE) / n
        self.rare = np.maximum(here, fresh * start.source) <= limit
        self.shares = here
        self.scales = np.ones(max(generations, 1))
        if beta != 1.0:
            self._scale_infinite()
        self.top = self._top()
        self.kept: dict[float, list[Float]] = {}
        if beta != 1.0:
            self._scale()

    def mix(self, share: Float, source: Float | float, t: int) -> Float:
        """Expected share in generation t + 1 of a type with this one in generation t."""
        mixed = (1.0 - self.fresh) * share + self.fresh * source
        if self.beta == 1.0:
            return np.asarray(mixed)
        return np.asarray(np.where(mixed > 0, np.maximum(mixed, 1e-300), 0.0) ** self.beta / self.scales[t])

    def _power(self, share: Float, source: Float | float) -> Float:
        mixed = (1.0 - self.fresh) * share + self.fresh * source
        return np.asarray(np.where(mixed > 0, np.maximum(mixed, 1e-300), 0.0) ** self.beta)

    def _scale_infinite(self) -> None:
        """What keeps shares summing to 1 at each step of an infinite sample; good enough to bound counts."""
        share = self.shares
        for t in range(self.T):
            self.scales[t] = float(self.start.times @ self._power(share, self.start.source))
            share = self.mix(share, self.start.source, t)

    def _scale(self) -> None:
        """What keeps expected shares summing to 1 at each step: the expectation of their powers, step by step."""
        grid = np.arange(self.top + 1) / self.n
        nodes = list(self._nodes(np.flatnonzero(self.rare)))
        self.kept = {source: [] for source, _ in nodes}
        laws: list[Float] = []
        often, times = ~self.rare, self.start.times
        mean, spread = self.shares[often], np.zeros(int(often.sum()))
        self.scales[0] = float(times @ self._power(self.shares, self.start.source))
        for t in range(1, self.T):
            if t == 1:
                for _, members in nodes:
                    first = self._first(members)
                    laws.append(times[members] @ first)
            else:
                for j, (source, _) in enumerate(nodes):
                    laws[j] = laws[j] @ self.kept[source][-1]
            mean, spread = self._moved(mean, spread, t - 1)
            power = self._power(mean, self.start.source[often])
            bend = 0.5 * self.beta * (self.beta - 1.0) * (1.0 - self.fresh) ** 2 * spread
            total = float(times[often] @ (power * (1.0 + bend / np.maximum(mean, 1e-300) ** 2)))
            total += sum(float(law @ self._power(grid, source)) for law, (source, _) in zip(laws, nodes, strict=True))
            self.scales[t] = total
            for source, _ in nodes:
                self.kept[source].append(self._step(grid, source, t))

    def _top(self) -> int:
        if not self.rare.any():
            return 1
        share, source, highest = self.shares[self.rare], self.start.source[self.rare], 1.0
        for t in range(self.T):
            share = self.mix(share, source, t)
            highest = max(highest, self.n * float(share.max()))
        drift = self.v_rare * self.time
        wide = highest + _WIDE * np.sqrt(highest * drift) + 8.0 * drift + 12.0
        return int(min(np.ceil(wide), self.n, 6000))

    def run(self) -> Course:
        parts = {name: np.zeros((self.T + 1, len(self.start.count))) for name in ("here", "plogp", "square", "share")}
        second = {name: np.zeros((self.T + 1, len(self.start.count))) for name in _SECOND}
        x = self.shares
        first = _functions(x)
        for name, values in first.items():
            (parts if name in parts else second)[name][0] = values
        for t, where, found in self._rare_course():
            for name, values in found.items():
                (parts if name in parts else second)[name][t, where] = values
        for t, found in self._frequent_course():
            for name, values in found.items():
                (parts if name in parts else second)[name][t, ~self.rare] = values
        return self._gathered(parts, second)

    def _rare_course(self) -> Iterator[tuple[int, NDArray[np.int64], dict[str, Float]]]:
        """Expectations of the functions below for rare classes."""
        rare = np.flatnonzero(self.rare)
        if not len(rare) or not self.T:
            return
        grid = np.arange(self.top + 1) / self.n
        names, stack = zip(*_functions(grid).items(), strict=True)
        base = np.stack(stack, axis=1)
        for source, members in self._nodes(rare):
            first = self._first(members)
            steps = self._steps(grid, source)
            later = base
            for t in range(1, self.T + 1):
                if self.beta == 1.0:
                    later = later if t == 1 else steps[0] @ later
                else:
                    later = base
                    for s in range(t - 1, 0, -1):
                        later = steps[s - 1] @ later
                yield t, members, dict(zip(names, (first @ later).T, strict=True))

    def _steps(self, grid: Float, source: float) -> list[Float]:
        """Transitions of a count after the first generation: one that serves all, or one for each."""
        if self.beta != 1.0:
            return self.kept[source]
        return [self._step(grid, source, 0)] if self.T > 1 else []

    def _step(self, grid: Float, source: float, t: int) -> Float:
        """Transitions of a count of types with this probability in the source."""
        return count_rows(self.n * np.minimum(self.mix(grid, source, t), 1.0), self.n, self.v_rare, self.top)

    def _first(self, members: NDArray[np.int64]) -> Float:
        """Laws of the count of these classes a generation on."""
        means = self.n * self.mix(self.shares[members], self.start.source[members], 0)
        return count_rows(means, self.n, self.v_rare_first, self.top)

    def _nodes(self, rare: NDArray[np.int64]) -> Iterator[tuple[float, NDArray[np.int64]]]:
        """Classes whose probability in the source is about the same; it matters only with fresh data."""
        if self.fresh == 0.0:
            yield 0.0, rare
            return
        p = self.start.source[rare]
        values = np.unique(p)
        if len(values) > _NODES:
            low, high = values[values > 0][0], values[-1]
            edges = np.geomspace(low, high * (1 + 1e-9), _NODES + 1)
            group = np.where(p > 0, np.clip(np.searchsorted(edges, p, side="right"), 1, _NODES), 0)
        else:
            group = np.searchsorted(values, p)
        for g in np.unique(group):
            members = rare[group == g]
            weight = self.start.times[members]
            yield float(weight @ self.start.source[members] / weight.sum()), members

    def _frequent_course(self) -> Iterator[tuple[int, dict[str, Float]]]:
        """The same for frequent classes, from mean and variance of their shares."""
        often = ~self.rare
        mean, spread = self.shares[often], np.zeros(int(often.sum()))
        for t in range(1, self.T + 1):
            mean, spread = self._moved(mean, spread, t - 1)
            yield t, _delta(mean, spread)

    def _moved(self, mean: Float, spread: Float, t: int) -> tuple[Float, Float]:
        """Mean and variance of frequent classes' shares a generation on."""
        source = self.start.source[~self.rare]
        mixed = (1.0 - self.fresh) * mean + self.fresh * source
        after = self.mix(mean, source, t)
        slope = self.beta * (1.0 - self.fresh) * after / mixed
        bend = 0.5 * self.beta * (self.beta - 1.0) * (1.0 - self.fresh) ** 2 * spread / mixed**2
        mean = np.minimum(after * (1.0 + bend), 1.0)
        spread = slope**2 * spread
        v = self.v if t else self.v_first
        return mean, spread + v * np.maximum(mean * (1.0 - mean) - spread, 0.0) / self.n

    def _gathered(self, parts: dict[str, Float], second: dict[str, Float]) -> Course:
        times = self.start.times
        spread = np.maximum(second["square_of_share"] - parts["share"] ** 2, 0.0)
        total = spread @ times
        total = total + np.divide(spread**2 @ times, total, out=np.zeros_like(total), where=total > 0)

        def variance(values: Float, squares: Float, products: Float, which: Float) -> Float:
            """Of a sum over classes, given that all shares sum to 1."""
            own = np.maximum(squares - values**2, 0.0) @ which
            shared = products - values * parts["share"]
            less = (shared @ which) ** 2 - shared**2 @ which
            known = np.divide(less, total, out=np.zeros_like(total), where=total > 0)
            return np.asarray(np.maximum(own - np.maximum(known, 0.0), 0.0))

        reference = np.where(self.start.reference > 0, np.log(np.maximum(self.start.reference, 1e-300)), 0.0)
        kl = parts["plogp"] - parts["share"] * reference
        kl_squares = (
            second["plogp_2"] - 2 * reference * second["plogp_share"] + reference**2 * second["square_of_share"]
        )
        kl_products = second["plogp_share"] - reference * second["square_of_share"]
        out = {
            "support": (parts["here"], parts["here"], parts["share"], times),
            "entropy": (-parts["plogp"], second["plogp_2"], -second["plogp_share"], times),
            "heterozygosity": (-parts["square"], second["square_2"], -second["square_share"], times),
            "kl": (kl, kl_squares, kl_products, times),
        }
        mean = {name: np.asarray(values @ which) for name, (values, _, _, which) in out.items()}
        mean["heterozygosity"] = mean["heterozygosity"] + 1.0
        spreads = {name: variance(*made) for name, made in out.items()}
        contributions = {name: values for name, (values, _, _, _) in out.items()}
        if self.beta == 1.0 and self.fresh == 0.0 and self.T:
            spreads["heterozygosity"] = self._pairs_of_pairs()
        for band, name in enumerate(BANDS):
            which = np.where(self.start.band == band, times, 0.0)
            if not which.any():
                continue
            held = which.sum()
            mean[f"kept_{name}"] = parts["here"] @ which / held
            spreads[f"kept_{name}"] = variance(parts["here"], parts["here"], parts["share"], which) / held**2
            contributions[f"kept_{name}"] = parts["here"] * (which > 0) / held
        return Course(mean, spreads, contributions)

    def _pairs_of_pairs(self) -> Float:
        """Variance of the heterozygosity, exact at dispersion 1."""
        p2, p3, p4 = (float(self.start.times @ self.shares**k) for k in (2, 3, 4))
        state, values = np.array([1.0, p2, p2 * p2, p3, p4]), [0.0]
        for t in range(self.T):
            state = _agreement_step(max(self.n / (self.v if t else self.v_first), 1.0)) @ state
            values.append(max(float(state[2] - state[1] ** 2), 0.0))
        return np.array(values)


_SECOND = ("square_of_share", "plogp_2", "plogp_share", "square_2", "square_share")


def _functions(x: Float) -> dict[str, Float]:
    """What is summed over types, and the products that variances need, of shares."""
    plogp = xlogy(x, x)
    return {
        "here": (x > 0).astype(np.float64), "plogp": plogp, "square": x**2, "share": x,
        "square_of_share": x**2, "plogp_2": plogp**2, "plogp_share": plogp * x, "square_2": x**4, "square_share": x**3,
    }  # fmt: skip


def _delta(mean: Float, spread: Float) -> dict[str, Float]:
    """Their expectations, for shares of this mean and a small variance."""
    plogp, slope = xlogy(mean, mean), 1.0 + np.log(np.maximum(mean, 1e-300))
    expected = plogp + 0.5 * spread / np.maximum(mean, 1e-300)
    square = mean**2 + spread
    return {
        "here": np.ones_like(mean), "plogp": expected, "square": square, "share": mean, "square_of_share": square,
        "plogp_2": expected**2 + slope**2 * spread, "plogp_share": expected * mean + slope * spread,
        "square_2": square**2 + (2 * mean) ** 2 * spread + 2 * spread**2,
        "square_share": square * mean + 2 * mean * spread,
    }  # fmt: skip
