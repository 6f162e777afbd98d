"""Categorical frequencies refitted on their own samples: the exact chain of one symbol's count.

Given model t, the count of a symbol in the next training set is binomial, whatever the other symbols do; so the
expectation of every sum over symbols is a sum of expectations over one-dimensional chains. Symbols of equal
probability share one chain. This is neutral Wright-Fisher drift, a symbol for an allele.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.predictions import _large_chain, pairs
from lightcollapse.predictions._checks import Float, chances_of, from_source, require, sizes_of
from lightcollapse.special import gammaln, xlog1py, xlogy

LARGEST_CHAIN = 4000  # points in a training set up to which every count is a state
FIRST_COUNTS = 1000  # states of the first generations' losses, where all generations ask for more than LARGEST_CHAIN
LARGEST_SAMPLE = 200_000  # points beyond which the chain is refused
LARGEST_COLUMNS = 20_000  # distinct probabilities x sqrt(points) beyond which sums that differ by symbol are refused
NOTHING = 1e-100  # a chance below it counts as none: products of subnormal numbers make a matrix product 7 times slower
DENSE = 1000  # states beyond which transition matrices keep only a band
MOST_SHARED = 2**28  # bytes of a chain's laws that are kept while sums share it
BAND = (9.0, 25.0)  # half width of the band: that many standard deviations, plus that many counts

Functional = Callable[[Float], Float]
BySymbol = Callable[[Float, Float], Float]  # of frequencies and source probabilities
Laws = Iterable[tuple[int, Float]]  # of a count in each training set, and its size

_shared: ContextVar[dict[tuple[bytes, bytes], Laws] | None] = ContextVar("shared chains", default=None)


@contextmanager
def sharing() -> Iterator[None]:
    """While this lasts, sums over the same chain step it once: five metrics of a card ask for one."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def binomial_rows(points: int, chances: ArrayLike) -> Float:
    """Binomial(points, q) probabilities: float64 (chances, points + 1), each row summing to 1."""
    q = np.atleast_1d(np.asarray(chances, dtype=np.float64))[:, None]
    k = np.arange(points + 1, dtype=np.float64)
    choose = gammaln(points + 1.0) - gammaln(k + 1.0) - gammaln(points - k + 1.0)
    rows = np.exp(choose + xlogy(k, q) + xlog1py(points - k, -q))
    rows[rows < NOTHING] = 0.0
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def transition(before: int, after: int, chance: Functional | None = None) -> Any:
    """Transition matrix of a count: row j is Binomial(after, g(j / before)), g the identity when not given.

    float64 (before + 1, after + 1); a sparse matrix holding a band where it is large.
    """
    share = np.arange(before + 1, dtype=np.float64) / before
    q = share if chance is None else np.clip(chance(share), 0.0, 1.0)
    if max(before, after) <= DENSE:
        return binomial_rows(after, q)
    from scipy.sparse import csr_array

    half = BAND[0] * np.sqrt(after * q * (1.0 - q)) + BAND[1]
    low = np.maximum(np.floor(after * q - half), 0).astype(np.int64)
    high = np.minimum(np.ceil(after * q + half), after).astype(np.int64)
    counts = high - low + 1
    starts = np.concatenate([[0], np.cumsum(counts)])
    k = np.arange(starts[-1]) - np.repeat(starts[:-1] - low, counts)
    chances, to = np.repeat(q, counts), k.astype(np.float64)
    log_choose = gammaln(after + 1.0) - gammaln(to + 1.0) - gammaln(after - to + 1.0)
    values = np.exp(log_choose + xlogy(to, chances) + xlog1py(after - to, -chances))
    values /= np.repeat(np.add.reduceat(values, starts[:-1]), counts)
    return csr_array((values, k, starts), shape=(before + 1, after + 1))


def grouped(probabilities: ArrayLike) -> tuple[Float, Float]:
    """Distinct probabilities and how many symbols have each: two float64 arrays. Raises ValueError on a bad law."""
    p = np.atleast_1d(np.asarray(probabilities, dtype=np.float64))
    require(bool(np.all(p >= 0)) and abs(float(p.sum()) - 1.0) < 1e-8, "probabilities must sum to 1", float(p.sum()))
    values, counts = np.unique(p, return_counts=True)
    return values, counts.astype(np.float64)


def chain_sizes(sample_sizes: ArrayLike, largest: int = LARGEST_CHAIN) -> NDArray[np.int64]:
    """The sample sizes as int64, refused with ValueError where the exact chain would be too large."""
    sizes = sizes_of(sample_sizes)
    most = int(sizes.max(initial=0.0))
    require(most <= largest, f"the exact chain needs samples of at most {largest} points", most)
    return sizes.astype(np.int64)


def _is_large(sizes: NDArray[np.int64]) -> bool:
    """Whether expectations are kept on panels of nodes, not count by count."""
    return int(sizes.max(initial=0)) > LARGEST_CHAIN


def expected_each(
    values: Float, sizes: NDArray[np.int64], functional: Functional, chance: Functional | None = None
) -> Float:
    """E of f(p_t) for t = 1..T from each of `values` of the source: float64 (generations, values)."""
    if sizes.size == 0:
        return np.zeros((0, len(values)))
    if _is_large(sizes):
        return _large_chain.expected(values, sizes, lambda share: functional(share)[:, None], chance)
    laws = _laws(values, sizes, chance)
    return np.array([law @ functional(np.arange(n + 1, dtype=np.float64) / n) for n, law in laws])


def expected_sum(
    probabilities: ArrayLike, sample_sizes: ArrayLike, functional: Functional, *, chance: Functional | None = None
) -> Float:
    """E of the sum over symbols of f(p_t) for t = 0..T, f vectorised and the same for every symbol. Exact.

    `probabilities` (symbols,), `sample_sizes` (generations,) of at most 200,000 points; float64 (generations + 1,).
    `chance` maps a symbol's frequency to the probability at which the model writes it (smoothing, say), and f is
    taken of the frequency. Entry 0 is f summed over the source. Up to 4000 points every count is a state: n^1.5 numbers
    and as many multiplications a generation. Beyond, expectations are kept at 20 sqrt(n) nodes, with a relative error
    below 1e-10: 2 s and 100 MB for n = 100,000 and any t up to 10,000.

    Derivation: theory/wright-fisher.md. Source: Wright 1931; derived.
    """
    values, counts = grouped(probabilities)
    sizes = chain_sizes(sample_sizes, LARGEST_SAMPLE)
    start = float(counts @ functional(values))
    if sizes.size == 0:
        return np.array([start])
    if _is_large(sizes):
        return from_source(start, expected_each(values, sizes, functional, chance) @ counts)
    if np.all(sizes == sizes[0]):
        return from_source(start, _backward(values, counts, int(sizes[0]), len(sizes), functional, chance))
    rows = _laws(values, sizes, chance)
    return from_source(start, [counts @ (law @ functional(np.arange(n + 1) / n)) for n, law in rows])


def _backward(
    values: Float, counts: Float, n: int, generations: int, functional: Functional, chance: Functional | None
) -> list[float]:
    """Equal sizes and one functional: one vector, stepped back, serves every symbol and generation."""
    first = counts @ binomial_rows(n, values)
    later = np.asarray(functional(np.arange(n + 1) / n), dtype=np.float64)
    step: Any = transition(n, n, chance) if generations > 1 else None
    result = []
    for t in range(generations):
        result.append(float(first @ later))
        if t + 1 < generations:
            later = step @ later
    return result


def forward_laws(values: Float, sizes: NDArray[np.int64], chance: Functional | None) -> Iterator[tuple[int, Float]]:
    """Yield (n_t, law of the count in training set t for each value: float64 (values, n_t + 1))."""
    law, shape = binomial_rows(int(sizes[0]), values), (0, 0)
    step: Any = None
    yield int(sizes[0]), law
    for before, after in zip(sizes[:-1].tolist(), sizes[1:].tolist(), strict=True):
        if (before, after) != shape:
            step, shape = transition(before, after, chance), (before, after)
        law = np.asarray((step.T @ law.T).T) if before > DENSE or after > DENSE else law @ step
        law[law < NOTHING] = 0.0
        yield after, law


def _laws(values: Float, sizes: NDArray[np.int64], chance: Functional | None) -> Laws:
    """What forward_laws yields, from memory where chains are shared and this one is not too large."""
    held, laws = _shared.get(), forward_laws(values, sizes, chance)
    if held is None or chance is not None or 8 * len(values) * int(np.sum(sizes + 1)) > MOST_SHARED:
        return laws
    key = values.tobytes(), sizes.tobytes()
    if key not in held:
        held.clear()
        held[key] = list(laws)
    return held[key]


def expected_sum_by_symbol(
    probabilities: ArrayLike, sample_sizes: ArrayLike, functional: BySymbol, *, chance: Functional | None = None
) -> Float:
    """E of the sum over symbols of f(p_t, p_0), f vectorised over (frequencies, source probabilities). Exact.

    `probabilities` (symbols,), `sample_sizes` (generations,) of at most 200,000 points; float64 (generations + 1,).
    Above 4000 points as `expected_sum`, with a column for each distinct probability: 0.05 s each for n = 100,000. Holds
    while distinct probabilities x sqrt(points) stays below 20,000 there (ValueError).

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    sizes = chain_sizes(sample_sizes, LARGEST_SAMPLE)
    start = float(counts @ functional(values, values))
    if _is_large(sizes):
        work = len(values) * math.sqrt(float(sizes.max()))
        require(work <= LARGEST_COLUMNS, "the exact chain is too large: distinct probabilities x sqrt(points)", work)
        means = _large_chain.expected(values, sizes, lambda share: functional(share[:, None], values[None, :]), chance)
        return from_source(start, means @ counts)
    result = []
    for n, law in _laws(values, sizes, chance) if sizes.size else ():
        shares = np.arange(n + 1, dtype=np.float64) / n
        result.append(float(counts @ (law * functional(shares[None, :], values[:, None])).sum(axis=1)))
    return from_source(start, result)


def entropy_term(share: Float) -> Float:
    """-x log x, zero at zero."""
    return np.asarray(-xlogy(share, share))


def heterozygosity_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E[1 - sum p_t^2] under replacement: h_t times the source's. float64 (generations + 1,). Exact for any size.

    Derivation: theory/pairs.md. Source: Wright 1931; Seddik et al. 2024 (2404.05090).
    """
    values, counts = grouped(probabilities)
    return pairs.replace(sample_sizes) * (1.0 - float(counts @ values**2))


def heterozygosity_variance(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """Var of the heterozygosity of model t under replacement: float64 (generations + 1,). Exact for any size.

    Four draws from model t fall back on one another like lineages; the five ways in which they may agree obey a
    linear map of five numbers.

    Derivation: theory/wright-fisher.md. Source: Kingman 1982 for lineages; derived.
    """
    values, counts = grouped(probabilities)
    p2, p3, p4 = (float(counts @ values**k) for k in (2, 3, 4))
    # chances that independent draws agree: (12), (12)(34), (123), (1234); with the constant in front
    state = np.array([1.0, p2, p2 * p2, p3, p4])
    result = [0.0]
    for n in sizes_of(sample_sizes):
        state = _agreement_step(float(n)) @ state
        result.append(max(float(state[2] - state[1] ** 2), 0.0))
    return np.array(result)


def _agreement_step(n: float) -> Float:
    """Map of (1, E F2, E F2^2, E F3, E F4) with F_k = sum p^k over one multinomial sample of size n.

    Row by row: how four (three, two) draws with replacement from the sample coincide, and what must then agree.
    """
    two = (n - 1.0) / n
    three = two * (n - 2.0) / n
    four = three * (n - 3.0) / n
    return np.array([
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [1.0 / n, two, 0.0, 0.0, 0.0],
        [1.0 / n**2, 2.0 * three / n + 6.0 * two / n**2, four, 4.0 * three / n, 0.0],
        [1.0 / n**2, 3.0 * two / n, 0.0, three, 0.0],
        [1.0 / n**3, 7.0 * two / n**2, 0.0, 6.0 * three / n, four],
    ])  # fmt: skip


def power_sum_mean(probabilities: ArrayLike, sample_sizes: ArrayLike, order: int) -> Float:
    """E[sum p_t^k] for k = `order` under replacement: float64 (generations + 1,). Exact.

    Derivation: theory/wright-fisher.md. Source: Kingman 1982; derived.
    """
    require(order >= 1, "order must be at least 1", order)
    return expected_sum(probabilities, sample_sizes, lambda share: share**order)


def entropy_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E of the Shannon entropy of model t under replacement, nats: float64 (generations + 1,). Exact.

    Holds for samples of at most 200,000 points (ValueError); `entropy_extrapolated` goes further. Cost: `expected_sum`.

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    return expected_sum(probabilities, sample_sizes, entropy_term)


def entropy_extrapolated(
    probabilities: ArrayLike, sample_size: int, generations: int, surrogates: tuple[int, int] = (100, 200)
) -> float:
    """E of the entropy of model T for large samples: smaller chains at equal T/n, extrapolated in 1/n. Approximation.

    One value, nats; relative error about 1e-5. Holds when n exceeds the surrogates and T n' / n is near a whole number.

    Derivation: theory/wright-fisher.md. Source: derived; Richardson extrapolation.
    """
    values = []
    for n in surrogates:
        steps = round(generations * n / sample_size)
        require(steps >= 1, "generations must reach one step of the surrogate", generations)
        values.append(float(entropy_mean(probabilities, [n] * steps)[-1]))
    first, second = (1.0 / n for n in surrogates)
    slope = (values[1] - values[0]) / (second - first)
    return values[1] + slope * (1.0 / sample_size - second)


def entropy_miller(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """Entropy of the source less (E support_s - 1) / (2 n_s) for each sample. Approximation.

    float64 (generations + 1,). Fine for t well below n and a well-sampled vocabulary, up to 65 % wrong otherwise.

    Derivation: theory/wright-fisher.md. Source: Miller 1955 for one sample.
    """
    values, counts = grouped(probabilities)
    sizes = sizes_of(sample_sizes)
    support = support_mean(probabilities, sample_sizes)[:-1]
    return float(counts @ entropy_term(values)) - from_source(0.0, np.cumsum((support - 1.0) / (2.0 * sizes)))


def support_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """Expected number of symbols in model t under replacement: float64 (generations + 1,). Exact.

    Same limits as `loss_probability`.

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    lost = loss_probability(values, sample_sizes)
    return np.asarray((1.0 - lost) @ counts)


def loss_probability(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """P(symbol absent from model t) under replacement: float64 (generations + 1, symbols). Exact.

    Counts so high that their loss within T generations has probability below 1e-16 are not followed, so samples of
    any size are served while that height stays below 4000: for T up to about 200. Beyond, samples of at most 200,000
    points are served (ValueError otherwise) as by `expected_sum`, with a relative error below 1e-9 for probabilities
    from 1e-20 up.

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    p = np.atleast_1d(chances_of(probabilities))
    sizes = sizes_of(sample_sizes).astype(np.int64)
    values, inverse = np.unique(p, return_inverse=True)
    lost = [np.where(values > 0, 0.0, 1.0)]
    few = _few(sizes)
    if few < len(sizes):
        chain_sizes(sizes, LARGEST_SAMPLE)
        later = expected_each(values, sizes, lambda share: (share == 0.0).astype(np.float64))
        return np.concatenate([loss_probability(p, sizes[:few]), later[few:, inverse.ravel()]])
    if sizes.size:
        height = _height(sizes)
        absent = np.zeros(height + 1)
        absent[0] = 1.0
        if np.all(sizes == sizes[0]):
            n = int(sizes[0])
            first, step = _capped_rows(n, values, height), _capped_rows(n, np.arange(height + 1) / n, height)
            for _ in sizes:
                lost.append(first @ absent)
                absent = step @ absent
        else:
            law = _capped_rows(int(sizes[0]), values, height)
            lost.append(law[:, 0])
            for before, after in zip(sizes[:-1].tolist(), sizes[1:].tolist(), strict=True):
                shares = np.minimum(np.arange(height + 1) / before, 1.0)
                law = law @ _capped_rows(after, shares, height)
                lost.append(law[:, 0])
    return np.array(lost)[:, inverse.ravel()]


def loss_from_count(count: int, sample_sizes: ArrayLike) -> Float:
    """P(a symbol with `count` copies in sample 1 is absent from model t): float64 (generations + 1,). Exact.

    Entry 0 and 1 are 1 where count is 0. Same limits as `loss_probability`.

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    sizes = sizes_of(sample_sizes)
    require(0 <= count <= sizes[0], "count must lie between 0 and the first sample's size", count)
    start = 1.0 if count == 0 else 0.0
    if count == 0 or len(sizes) == 1:
        return np.full(len(sizes) + 1, start)
    return np.concatenate([[start], loss_probability([count / sizes[0]], sizes[1:])[:, 0]])


def _height(sizes: NDArray[np.int64]) -> int:
    """Smallest count that is lost by the last sample with probability below 1e-16, whichever sample it stands in.

    Poisson branching bounds the loss from above: one copy in a sample of size a leaves Poisson(b / a) copies in the
    next one of size b, and what matters is the least chance of any sample's copy to have descendants at the end.
    """
    alive = least = 1.0
    for before, after in zip(sizes[-2::-1].tolist(), sizes[:0:-1].tolist(), strict=True):
        alive = -math.expm1(-alive * after / before)
        least = min(least, alive)
    most = int(sizes.max())
    needed = math.ceil(37.0 / -math.log1p(-min(least, 1.0 - 1e-16))) if least > 0 else most
    return min(most, max(needed, 40))


def _few(sizes: NDArray[np.int64]) -> int:
    """For how many generations losses are followed by counts: all, or else those that ask for FIRST_COUNTS at most."""
    if sizes.size == 0 or _height(sizes) <= LARGEST_CHAIN:
        return len(sizes)
    low, high = 0, len(sizes)  # `low` will do, `high` will not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _height(sizes[:middle]) <= FIRST_COUNTS else (low, middle)
    return low


def _capped_rows(points: int, chances: Float, height: int) -> Float:
    """Binomial probabilities of counts 0 .. min(points, height): what lies above is never lost and is dropped."""
    q = np.clip(chances, 0.0, 1.0)[:, None]
    k = np.arange(height + 1, dtype=np.float64)
    inside = k <= points
    rest = np.where(inside, points - k, 0.0)
    with np.errstate(divide="ignore"):  # a product of few factors: differences of large log-factorials lose digits
        falling = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(points - k[:-1], 0.0)))])
    choose = np.where(inside, falling, 0.0) - gammaln(k + 1.0)
    rows = np.where(inside, np.exp(choose + xlogy(k, q) + xlog1py(rest, -q)), 0.0)
    return np.asarray(rows)


def missing_mass_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """Expected source mass of the symbols absent from model t: float64 (generations + 1,). Exact.

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    chances_of(probabilities)
    p = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(loss_probability(p, sample_sizes) @ p)


def collapse_probability(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """P(one symbol only is left in model t): float64 (generations + 1,). Exact: fixations exclude one another.

    Derivation: theory/wright-fisher.md. Source: derived; bounds as in Seddik et al. 2024 (2404.05090).
    """
    return expected_sum(probabilities, sample_sizes, lambda share: (share == 1.0).astype(np.float64))


def kl_model_source_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E KL(M_t || P0) under replacement, nats: the expected loss of entropy. float64 (generations + 1,). Exact.

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    entropy = entropy_mean(probabilities, sample_sizes)
    return np.asarray(entropy[0] - entropy)


def squared_distance_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E[sum (p_t - p_0)^2] under replacement: (1 - h_t) times the source's heterozygosity. Exact.

    float64 (generations + 1,).

    Derivation: theory/pairs.md. Source: derived.
    """
    het = heterozygosity_mean(probabilities, sample_sizes)
    return np.asarray(het[0] - het)


def total_variation_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E of the total variation between model t and the source under replacement: float64 (generations + 1,). Exact.

    Holds for samples of at most 200,000 points, and limits of `expected_sum_by_symbol` (ValueError).

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    return expected_sum_by_symbol(probabilities, sample_sizes, _half_distance)


def hellinger_squared_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E[1 - sum sqrt(p_t p_0)] under replacement: float64 (generations + 1,). Exact.

    Holds for samples of at most 200,000 points (ValueError). Cost: `expected_sum`.

    Derivation: theory/wright-fisher.md. Source: derived.
    """
    values, counts = grouped(probabilities)
    means = expected_each(values, chain_sizes(sample_sizes, LARGEST_SAMPLE), np.sqrt)
    return from_source(0.0, 1.0 - means @ (counts * np.sqrt(values)))


def chi_squared_mean(probabilities: ArrayLike, sample_sizes: ArrayLike) -> Float:
    """E[sum (p_t - p_0)^2 / p_0] under replacement: (1 - h_t)(V - 1) for V symbols. Exact.

    float64 (generations + 1,).

    Derivation: theory/pairs.md. Source: derived.
    """
    chances_of(probabilities)
    symbols = np.count_nonzero(np.asarray(probabilities))
    return (1.0 - pairs.replace(sample_sizes)) * (symbols - 1.0)


def kimura_loss(probability: float, sample_size: int, generations: float, terms: int = 400) -> float:
    """P(lost by generation T) of the diffusion with the same variance: Kimura's series. Approximation.

    1 - p + sum over i of (2 i + 1) p (1 - p) (-1)^i F(1 - i, i + 2; 2; 1 - p) exp(-i (i + 1) T / (2 n)), up to 5 % off
    at n = 200; prefer the exact chain.

    Derivation: theory/wright-fisher.md. Source: Kimura 1955.
    """
    require(0 <= probability <= 1, "probability must lie in [0, 1]", probability)
    require(sample_size >= 1, "sample_size must be at least 1", sample_size)
    require(generations >= 0, "generations must not be negative", generations)
    from lightcollapse.special import eval_jacobi

    i = np.arange(1, terms + 1)
    x = 2.0 * probability - 1.0  # loss of p is fixation of 1 - p
    jacobi = eval_jacobi(i - 1, 1, 1, x) / i
    decay = np.exp(-i * (i + 1) * generations / (2.0 * sample_size))
    series = (2 * i + 1) * probability * (1.0 - probability) * (-1.0) ** i * jacobi
    return float(1.0 - probability + np.sum(series * decay))


def _half_distance(share: Float, p: Float) -> Float:
    return 0.5 * np.abs(share - p)
