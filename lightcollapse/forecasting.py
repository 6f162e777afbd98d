"""Forecasting generations of text that are not written yet, from the baseline's counts or from measured generations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.errors import DataError, require
from lightcollapse.predictions import spectrum, temporal
from lightcollapse.special import ndtri
from lightcollapse.text.inputs import Given, Name
from lightcollapse.text.reading import MAX_BYTES
from lightcollapse.text.tables import opened
from lightcollapse.text.tallies import Tallies, tally

Float = NDArray[np.float64]

LEVEL = 0.95
MOST_AHEAD = spectrum.LONGEST - 1
HEADLINES = ("support", "entropy", "heterozygosity")
WIDEST = 0.5  # an interval wider than this share of its value says too little
FARTHEST = 5  # times as many generations ahead as were measured: rates are not known to stay longer
_LEAST_DISPERSION = 0.02
_NUDGE = 0.05
_PARTS = 3
_FAR = 4.0  # standard errors beyond which a measured generation refutes the picture
_SPREAD = 64.0  # shape of a Gamma law beyond which types are taken to be equally probable
_PROOF = 3.0  # standard errors beyond which a temperature or a fresh share is taken into the forecast


@dataclass(frozen=True)
class Row:
    """One metric of one generation to come.

    Attributes:
        metric: support (types), entropy, kl (nats), heterozygosity, kept_LOW-HIGH (share of the baseline's types seen
            so often that still occur).
        generation: number of the generation; the last measured one comes first, with no interval.
        value, ci_low, ci_high: expectation, and the 95 % interval for one run.
        note: why a value is missing or not to be trusted; empty where there is nothing to say.
    """

    metric: str
    generation: int
    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Driver:
    """What drives the drift, as measured between two generations (both None: over all of them).

    Attributes:
        name: effective_sample_size, dispersion, temperature or fresh.
        first, second: names of the generations.
        value, ci_low, ci_high: None where nothing bounds it.
    """

    name: str
    first: Name | None
    second: Name | None
    value: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Forecast:
    """What is to be expected, and what it rests on.

    Attributes:
        rows: metric by metric, generations in order.
        drivers: what was measured; empty where only the baseline is known.
        trusted: the last generation to be trusted; `rule` says why.
        recipe: every choice that decides a number.
    """

    rows: tuple[Row, ...]
    drivers: tuple[Driver, ...]
    trusted: int
    rule: str
    recipe: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def __getitem__(self, key: tuple[str, int]) -> Row:
        for row in self.rows:
            if (row.metric, row.generation) == key:
                return row
        raise KeyError(f"no metric {key[0]!r} of generation {key[1]!r}; known: {', '.join(self.metrics)}")


@dataclass(frozen=True)
class _Rates:
    """Dispersion, exponent (1/temperature) and fresh share, with standard errors."""

    dispersion: float = 1.0
    temperature: float = 1.0
    fresh: float = 0.0
    errors: tuple[float, float, float] = (0.0, 0.0, 0.0)


def forecast(
    files: Given,
    *,
    generations: int = 10,
    sample_size: int | None = None,
    fresh: float | None = None,
    temperature: float | None = None,
    chain: bool = False,
    unit: str = "words",
    order: int = 1,
    baseline: str | None = None,
    by: str | None = None,
    generation_from_filename: str | None = None,
    text_field: str = "text",
    generation_field: str = "generation",
    source_field: str = "source",
    errors: str = "strict",
    max_bytes: int = MAX_BYTES,
    tokenizer: str | None = None,
    seed: int = 0,
) -> Forecast:
    """Forecast the vocabulary of generations to come: support, entropy, heterozygosity, KL, survival of rare types.

    `files` as for `measure`, the baseline first. With the baseline alone each generation is taken to be trained on
    `sample_size` tokens (default: as many as the last generation has) that the last one wrote. With more generations
    the effective sample size, temperature and fresh share are estimated from them. `chain`: each file is the very text
    that the next model learned from; otherwise files are samples, apart from what was learned, and the intervals hold
    what the files do not know of it.

    Raises CardError on an argument that breaks a rule, DataError where a file cannot be read.
    """
    _check(generations, sample_size, fresh, temperature)
    texts = opened(
        files, unit=unit, order=order, baseline=baseline, by=by, generation_from_filename=generation_from_filename,
        text_field=text_field, generation_field=generation_field, source_field=source_field, errors=errors,
        max_bytes=max_bytes, tokenizer=tokenizer, seed=seed,
    )  # fmt: skip
    require(order <= texts.order, f"the files of counts hold n-grams up to {texts.order}", order)
    counted = tally(texts, order, seed)
    if not all(counted.counts.sum(axis=1) >= 2):
        raise DataError(f"a generation holds fewer than two {order}-grams: too little to forecast from")
    recipe = {"files": [{"name": file.name, "sha256": file.sha256} for file in texts.files],
              "unit": texts.unit.partition(" ")[0], "order": order, "seed": seed}  # fmt: skip
    return _forecast(counted, list(texts.names), generations, sample_size, fresh, temperature, chain, recipe)


def forecast_counts(
    counts: ArrayLike,
    *,
    generations: int = 10,
    sample_size: int | None = None,
    fresh: float | None = None,
    temperature: float | None = None,
    chain: bool = False,
) -> Forecast:
    """The same from counts, int (types,) of the baseline or (measured generations, types). Tokens are taken to be
    independent, for nothing is known of documents.
    """
    _check(generations, sample_size, fresh, temperature)
    table = np.atleast_2d(np.asarray(counts))
    require(table.ndim == 2 and table.size > 0 and np.issubdtype(table.dtype, np.integer), "counts must be whole "
            "numbers, (types,) or (generations, types)", table.shape)  # fmt: skip
    require(int(table.min()) >= 0, "counts must be at least 0", int(table.min()))
    require(bool((table.sum(axis=1) >= 2).all()), "each generation needs at least two tokens", table.sum(axis=1))
    nothing = np.empty(0, dtype=np.int64)
    counted = Tallies(
        table.astype(np.int64, copy=False), nothing, nothing, np.empty((len(table), 0, 0), dtype=np.int64)
    )
    names: list[Name] = list(range(len(table)))
    return _forecast(counted, names, generations, sample_size, fresh, temperature, chain, {})


def _check(generations: int, sample_size: int | None, fresh: float | None, temperature: float | None) -> None:
    require(1 <= generations <= MOST_AHEAD, f"generations must lie in 1 .. {MOST_AHEAD}", generations)
    require(sample_size is None or 2 <= sample_size <= 10**12, "sample_size must lie in 2 .. 10^12", sample_size)
    require(fresh is None or 0.0 <= fresh <= 1.0, "fresh must lie in [0, 1]", fresh)
    usual = temperature is None or (math.isfinite(temperature) and 0.1 <= temperature <= 10.0)
    require(usual, "temperature must lie in [0.1, 10]", temperature)


def _forecast(
    counted: Tallies, names: list[Name], ahead: int, sample_size: int | None, fresh: float | None,
    temperature: float | None, chain: bool, recipe: dict[str, Any],
) -> Forecast:  # fmt: skip
    counts = counted.counts
    last = counts[-1]
    size = int(last.sum())
    n = sample_size or size
    noises = [_noise(half, count) for half, count in zip(counted.halves, counts, strict=True)]
    drivers, rates = _drivers(counts, names, noises, chain, n)
    rates = replace(rates, fresh=rates.fresh if fresh is None else fresh,
                    temperature=rates.temperature if temperature is None else temperature,
                    errors=(rates.errors[0], 0.0 if temperature is not None else rates.errors[1],
                            0.0 if fresh is not None else rates.errors[2]))  # fmt: skip
    start = _start(counts, rates.fresh > 0)
    thinned = not chain and n < size
    kept = None if chain else _Kept(counts[0], len(counts) - 1)
    outlook = _Outlook(start, kept, ahead, n, rates, thinned)
    spread = outlook.variance()
    extra = {} if chain else _of_source(outlook, counted)
    first = next((int(name) for name in reversed(names) if isinstance(name, int)), len(names) - 1)
    rows, wide = _rows(outlook, spread, extra, first, _kl_note(start, counts, chain, rates))
    measured = len(counts) - 1
    trusted, rule = _trust(outlook, wide, first, ahead, measured)
    if chain and measured and not _as_expected(counts, rates):
        trusted, rule = first, "the last generation is not what its predecessor leads to: the loop is of another kind"
    chosen = {"generations": ahead, "sample_size": n, "chain": chain, "dispersion": rates.dispersion,
              "temperature": rates.temperature, "fresh": rates.fresh, "tokens": counts.sum(axis=1).tolist(),
              "measured": [str(name) for name in names]}  # fmt: skip
    return Forecast(tuple(rows), tuple(drivers), trusted, rule, recipe | chosen,
                    tuple(_warnings(n, size, chain, noises, drivers, fresh)))  # fmt: skip


# -- what drives the drift ---------------------------------------------------------------------------------------------


def _noise(halves: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    """How many times as much as independent tokens random halves of the documents differ; at least 1."""
    found = [
        temporal.sample_step(half, counts - half).dispersion.value
        for half in halves
        if half.sum() >= 2 and (counts - half).sum() >= 2
    ]
    return max(1.0, float(np.mean(found))) if found else 1.0


def _drivers(
    counts: NDArray[np.int64], names: Sequence[Name], noises: Sequence[float], chain: bool, n: int
) -> tuple[list[Driver], _Rates]:
    """What each step says, and all of them together."""
    if len(counts) < 2:
        return [], _Rates()
    sizes = counts.sum(axis=1).astype(np.float64)
    steps, gaps, found = [], [], []
    for t in range(1, len(counts)):
        if chain:
            step = temporal.chain_step(counts[t - 1], counts[t], _source(counts[0]), source_size=float(sizes[0]))
        else:
            both = sizes[t - 1] * sizes[t] / (sizes[t - 1] + sizes[t])
            noise = both * sum((noises[g] if len(noises) > g else 1.0) / sizes[g] for g in (t - 1, t))
            source = counts[0] if t > 1 else None
            step = temporal.sample_step(counts[t - 1], counts[t], source, noise=noise)
        steps.append(step)
        one, other = names[t - 1], names[t]
        gaps.append(float(other - one) if isinstance(one, int) and isinstance(other, int) else 1.0)
        found += _named(step, one, other)
    drift = _drift(steps, sizes, chain, n)
    beta = _pooled([(1.0 / s.temperature.value, s.temperature.error) for s in steps])
    share = _pooled([(s.fresh.value, s.fresh.error) for s in steps if s.fresh is not None])
    sharpened = abs(beta[0] - 1.0) > _PROOF * beta[1]  # else every twentieth forecast would follow mere noise
    mixed = share[0] > _PROOF * share[1] and share[0] > 0
    z = float(ndtri((1.0 + LEVEL) / 2.0))
    gap = float(np.mean(gaps))
    value, error = drift[0] / gap, drift[1] / gap
    whole = [
        _driver("effective_sample_size", n / value, n / (value + z * error), n / max(value - z * error, 1e-12)),
        _driver("temperature", 1 / beta[0], 1 / (beta[0] + z * beta[1]), 1 / max(beta[0] - z * beta[1], 1e-3)),
    ]
    if np.isfinite(share[1]):
        low, high = (float(np.clip(share[0] + sign * z * share[1], 0.0, 1.0)) for sign in (-1, 1))
        whole.append(_driver("fresh", share[0], low, high))
    rates = _Rates(
        max(value, _LEAST_DISPERSION),
        float(np.clip((1.0 / beta[0]) ** (1.0 / gap) if sharpened else 1.0, 0.1, 10.0)),
        float(np.clip(share[0] / gap if mixed else 0.0, 0.0, 1.0)),
        (error, beta[1] / gap if sharpened else 0.0, share[1] / gap if mixed else 0.0),
    )
    return whole + found, rates


def _drift(steps: Sequence[temporal.Step], sizes: Float, chain: bool, n: int) -> tuple[float, float]:
    """Variance that a generation adds to a count, in units of the multinomial one for n tokens, and its error."""
    values = []
    for step in steps:
        if chain:
            values.append((step.dispersion.value, step.dispersion.error, step.types))
        else:
            inverse = 1.0 / step.effective.value if np.isfinite(step.effective.value) else 0.0
            values.append((n * inverse, n * step.effective.error, step.types))
    weight = np.array([types for _, _, types in values], dtype=np.float64)
    weight /= weight.sum()
    value = float(sum(w * v for w, (v, _, _) in zip(weight, values, strict=True)))
    error = math.sqrt(sum((w * e) ** 2 for w, (_, e, _) in zip(weight, values, strict=True) if np.isfinite(e)))
    return max(value, _LEAST_DISPERSION), error


def _pooled(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean weighted by precision, and its error; (1, infinity) where nothing is known."""
    known = [(value, error) for value, error in found if np.isfinite(error) and error > 0]
    if not known:
        return 1.0, math.inf
    weight = np.array([error**-2.0 for _, error in known])
    return float(weight @ [value for value, _ in known] / weight.sum()), float(weight.sum() ** -0.5)


def _named(step: temporal.Step, one: Name, other: Name) -> list[Driver]:
    named = [("effective_sample_size", step.effective), ("dispersion", step.dispersion),
             ("temperature", step.temperature), ("fresh", step.fresh)]  # fmt: skip
    return [_driver(name, found.value, found.low, found.high, one, other) for name, found in named if found is not None]


def _driver(
    name: str, value: float, low: float, high: float, one: Name | None = None, other: Name | None = None
) -> Driver:
    finite = [v if math.isfinite(v) and v < 1e11 else None for v in (value, low, high)]
    return Driver(name, one, other, *finite)


def _source(counts: NDArray[np.int64]) -> Float:
    """Probabilities in the source of all types, those that the baseline lacks sharing what Good leaves for them."""
    values, times = spectrum.tally(counts)
    law = spectrum.good_shares(values, times)
    lacking = int(np.count_nonzero(counts == 0))
    missing = float(times[values == 1].sum()) / float(values @ times) if lacking else 0.0
    seen = law[np.minimum(np.searchsorted(values, counts), len(values) - 1)] * (1.0 - missing) / float(law @ times)
    return np.where(counts == 0, missing / max(lacking, 1), seen)


# -- where the forecast starts -----------------------------------------------------------------------------------------


def _start(counts: NDArray[np.int64], fresh: bool) -> spectrum.Classes:
    """Classes of types by what the baseline and the last generation have of them."""
    first, last = counts[0], counts[-1]
    size, baseline = float(last.sum()), float(first.sum())
    if len(counts) == 1:
        c0, times = spectrum.tally(first)
        c1 = c0
    else:
        values, times = spectrum.tally(first * (int(last.max()) + 1) + last)
        c0, c1 = (part.astype(np.float64) for part in np.divmod(values.astype(np.int64), int(last.max()) + 1))
    source = c0 / baseline
    if fresh:
        c0, c1, times, source = _with_unseen(c0, c1, times, *spectrum.tally(first))
    return spectrum.Classes(c1, times, source, source, spectrum.band_of(c0), size)


def _with_unseen(c0: Float, c1: Float, times: Float, values: Float, types: Float) -> tuple[Float, Float, Float, Float]:
    """Classes with estimated probabilities in the source, and one more of the types that the baseline lacks."""
    size = float(values @ types)
    law = spectrum.good_shares(values, types)
    once, twice = (float(types[values == k].sum()) for k in (1, 2))
    unseen = float(np.ceil(once * max(once - 1.0, 0.0) / (2.0 * (twice + 1.0))))  # Chao's least number of them
    missing = once / size if unseen else 0.0
    place = np.minimum(np.searchsorted(values, c0), len(values) - 1)
    source = np.where(c0 > 0, law[place] * (1.0 - missing) / float(law @ types), 0.0)
    if unseen:
        c0, c1, times = np.append(c0, 0.0), np.append(c1, 0.0), np.append(times, unseen)
        source = np.append(source, missing / unseen)
    return c0, c1, times, source


class _Kept:
    """Types of the baseline in another lineage of the same source: they may be lacking there from the beginning.

    Types seen equally often are not equally probable; what of them is kept is an average over the probabilities that
    they may have, a Gamma law with two moments of Good's, of which `_PARTS` nodes stand for the whole.
    """

    def __init__(self, first: NDArray[np.int64], before: int) -> None:
        values, times = spectrum.tally(first)
        self.size, self.before = float(values @ times), before
        share, spread = spectrum.good_shares(values, times), spectrum.good_spread(values, times)
        nodes, weights = _gamma_nodes(share, spread)
        self.share = nodes.ravel()
        self.values, self.times = np.repeat(values, _PARTS), (times[:, None] * weights).ravel()
        self.doubt = np.repeat(spectrum.good_doubt(values, times), _PARTS)

    def course(self, ahead: int, n: int, rates: _Rates, factor: float = 1.0) -> spectrum.Course:
        """Of another text and all that follow it; its entry 1 is that text."""
        band = spectrum.band_of(self.values)
        share = self.share * factor
        made = spectrum.Classes(share * n, self.times, share, share, band, float(n))
        return spectrum.course(
            made, self.before + ahead + 1, sample_size=n, dispersion=rates.dispersion, temperature=rates.temperature,
            fresh=rates.fresh, first_dispersion=1.0,
        )  # fmt: skip

    def doubts(self, ahead: int, n: int, rates: _Rates) -> dict[str, Float]:
        """Variance of what is kept by the errors of Good's shares, from the text on that is the last measured one."""
        plain, moved = (self.course(ahead, n, rates, factor) for factor in (1.0, 1.0 + _NUDGE))
        out = {}
        for name in plain.parts:
            if name.startswith("kept_"):
                answer = (moved.parts[name] - plain.parts[name]) * self.times / _NUDGE
                by_count = np.add.reduceat(answer, np.arange(0, answer.shape[1], _PARTS), axis=1)
                out[name] = (by_count**2 @ self.doubt[::_PARTS])[self.before + 1 :]
        return out


def _gamma_nodes(mean: Float, variance: Float) -> tuple[Float, Float]:
    """Nodes and weights of Gauss's rule for Gamma laws: float64 (laws, _PARTS) each."""
    from scipy.special import roots_genlaguerre

    nodes, weights = np.repeat(mean[:, None], _PARTS, axis=1), np.full((len(mean), _PARTS), 1.0 / _PARTS)
    shapes = mean**2 / variance
    for i in np.flatnonzero(shapes <= _SPREAD):
        shape = float(shapes[i])
        places, masses = roots_genlaguerre(_PARTS, shape - 1.0)
        nodes[i], weights[i] = places * mean[i] / shape, masses / masses.sum()
    return nodes, weights


class _Outlook:
    """The course of the start, and how it answers to changes of the rates."""

    def __init__(
        self, start: spectrum.Classes, kept: _Kept | None, ahead: int, n: int, rates: _Rates, thinned: bool
    ) -> None:
        self.start, self.kept, self.ahead, self.n, self.rates, self.shift = start, kept, ahead, n, rates, int(thinned)
        self.means, self.spreads, self.parts = self._run(rates)

    def _run(self, rates: _Rates) -> tuple[dict[str, Float], dict[str, Float], dict[str, Float]]:
        first = max(1.0 - self.n / self.start.size, 1e-6) if self.shift else None
        made = spectrum.course(
            self.start, self.ahead + self.shift, sample_size=self.n, dispersion=rates.dispersion,
            temperature=rates.temperature, fresh=rates.fresh, first_dispersion=first,
        )  # fmt: skip
        means, spreads, parts = ({name: values[self.shift :] for name, values in of.items()}
                                 for of in (made.mean, made.variance, made.parts))  # fmt: skip
        if self.kept is not None:
            other = self.kept.course(self.ahead, self.n, rates)
            for name in [name for name in means if name.startswith("kept_")]:
                from_here = slice(self.kept.before + 1, None)
                means[name], spreads[name] = other.mean[name][from_here], other.variance[name][from_here]
                del parts[name]
        return means, spreads, parts

    def variance(self) -> dict[str, Float]:
        """Run to run, and by the errors of the rates."""
        out = dict(self.spreads)
        if self.kept is not None:
            for name, doubt in self.kept.doubts(self.ahead, self.n, self.rates).items():
                out[name] = out[name] + doubt
        dispersion, beta, fresh = self.rates.errors
        changed = []
        if dispersion > 0:
            up = self.rates.dispersion * (1.0 + _NUDGE)
            changed.append((replace(self.rates, dispersion=up), dispersion / (_NUDGE * self.rates.dispersion)))
        if beta > 0:
            exponent = 1.0 / self.rates.temperature
            changed.append((replace(self.rates, temperature=1.0 / (exponent + beta)), 1.0))
        if fresh > 0:
            changed.append((replace(self.rates, fresh=min(self.rates.fresh + fresh, 1.0)), 1.0))
        for rates, scale in changed:
            moved, _, _ = self._run(rates)
            for name in out:
                out[name] = out[name] + ((moved[name] - self.means[name]) * scale) ** 2
        return out


def _of_source(outlook: _Outlook, counted: Tallies) -> dict[str, Float]:
    """What the last text does not know of its generation: the variance of the forecast over such texts, twice.

    Once for the text at hand and once for the one that the model learned from. Each token adds what its type's last
    copy adds to the forecast; the spread of the documents' sums is the jackknife's.
    """
    start, out = outlook.start, {}
    group = start.band if len(counted.counts) > 1 else np.zeros(len(start.count), dtype=np.int64)
    size = float(counted.counts[-1].sum())
    which = _class_of(start, counted.counts) if len(counted.types) else np.empty(0, dtype=np.int64)
    for name, parts in outlook.parts.items():
        sums = []
        for values in parts:
            step = _slopes(start.count, values, group)
            if len(counted.types):
                per = np.bincount(counted.owner, weights=step[which][counted.types])
                tokens = np.bincount(counted.owner, minlength=len(per)).astype(np.float64)
                rest = per - tokens * (per.sum() / size)
                used = tokens > 0
                many = max(int(used.sum()), 2)
                sums.append(float(rest[used] @ rest[used]) * many / (many - 1.0))
            else:
                held = start.times * start.count
                sums.append(float(held @ (step - float(held @ step) / size) ** 2))
        out[name] = 2.0 * np.array(sums)
    return out


def _class_of(start: spectrum.Classes, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of each type that the last generation has, by its band and count; classes of one slope are one."""
    width = float(start.count.max()) + 1.0
    key = (start.band + 1) * width + start.count
    order = np.argsort(key, kind="stable")
    mine = (spectrum.band_of(counts[0]) + 1) * width + counts[-1]
    return np.asarray(order[np.minimum(np.searchsorted(key[order], mine), len(order) - 1)])


def _slopes(count: Float, values: Float, group: NDArray[np.int64]) -> Float:
    """What one copy more adds, in each class, from the class with the next lower count in its group."""
    order = np.lexsort((count, group))
    c, v, g = count[order], values[order], group[order]
    rise = np.zeros_like(v)
    for one in np.unique(g):
        here = g == one
        levels, place = np.unique(np.concatenate([[0.0], c[here]]), return_inverse=True)
        total = np.bincount(place[1:], weights=v[here], minlength=len(levels))
        mean = total / np.maximum(np.bincount(place[1:], minlength=len(levels)), 1)
        steps = np.diff(mean, prepend=0.0) / np.maximum(np.diff(levels, prepend=0.0), 1.0)
        rise[here] = steps[place[1:]]
    out = np.empty_like(rise)
    out[order] = rise
    return out


# -- rows --------------------------------------------------------------------------------------------------------------


def _kl_note(
    start: spectrum.Classes, counts: NDArray[np.int64], chain: bool, rates: _Rates
) -> tuple[str, float, float]:
    """Why there is no KL (or nothing), what is added to it, and the variance of that."""
    lacked = (start.reference <= 0) & (start.count > 0)
    if lacked.any():
        return "the last generation has types that the baseline lacks: KL is infinite", 0.0, 0.0
    if chain or len(counts) > 1 or rates.fresh > 0:
        return "", 0.0, 0.0
    values, times = spectrum.tally(counts[0])
    p = values / float(values @ times)
    plain = -float(times @ (p * np.log(p)))
    noise = (float(times @ (p * np.log(p) ** 2)) - plain**2) / float(values @ times)
    return "", spectrum.entropy_of_spectrum(values, times) - plain, noise


def _rows(
    outlook: _Outlook, spread: dict[str, Float], extra: dict[str, Float], first: int, kl: tuple[str, float, float]
) -> tuple[list[Row], dict[str, Float]]:
    z = float(ndtri((1.0 + LEVEL) / 2.0))
    rows, wide = [], {}
    for name, mean in outlook.means.items():
        total = spread[name] + extra.get(name, 0.0)
        note = ""
        if name == "kl":
            note, more, noise = kl
            mean = mean + more
            total = total + (noise if more else 0.0)
        half = z * np.sqrt(total)
        low, high = _bounded(name, mean, half)
        wide[name] = np.divide(high - low, mean, out=np.full_like(mean, np.inf), where=mean > 0)
        for t in range(len(mean)):
            if note:
                rows.append(Row(name, first + t, None, note=note))
            elif t == 0:
                rows.append(Row(name, first, float(mean[0])))
            else:
                rows.append(Row(name, first + t, float(mean[t]), float(low[t]), float(high[t])))
    return rows, wide


def _bounded(name: str, mean: Float, half: Float) -> tuple[Float, Float]:
    """The interval, on the scale on which the quantity has no bounds near: shares by their log-odds, KL by its log."""
    if name.startswith("kept_"):
        inside = np.clip(mean, 1e-12, 1.0 - 1e-12)
        slope = half / (inside * (1.0 - inside))
        odds = np.log(inside / (1.0 - inside))
        low, high = (1.0 / (1.0 + np.exp(-np.clip(odds + sign * slope, -700, 700))) for sign in (-1, 1))
        plain = np.minimum(mean, 1.0 - mean) < 2.0 * half  # too near a bound for either
        return np.where(plain, np.minimum(low, np.maximum(mean - half, 0.0)), mean - half), np.where(
            plain, np.maximum(np.minimum(mean + half, 1.0), mean), mean + half
        )
    low, high = np.maximum(mean - half, 0.0), mean + half
    return low, np.minimum(high, 1.0) if name == "heterozygosity" else high


def _trust(outlook: _Outlook, wide: dict[str, Float], first: int, ahead: int, measured: int) -> tuple[int, str]:
    """The last generation to be trusted, and why no later one is."""
    for t in range(1, ahead + 1):
        for name in HEADLINES:
            if wide[name][t] > WIDEST:
                return first + t - 1, f"the interval of {name} is then wider than half its value"
        gone = 1.0 - outlook.means["heterozygosity"][t] / max(float(outlook.means["heterozygosity"][0]), 1e-12)
        if gone > 0.5:
            return first + t - 1, "half of the heterozygosity is then gone, and the approximations with it"
        if measured and t > FARTHEST * measured:
            return first + t - 1, f"more than {FARTHEST} times as far ahead as was measured"
    return first + ahead, "no limit met in the generations asked for"


def _as_expected(counts: NDArray[np.int64], rates: _Rates) -> bool:
    """Whether types and entropy of the last generation are what the one before leads to, within `_FAR` errors."""
    before, last = counts[:-1], counts[-1]
    made = spectrum.course(
        _start(before, rates.fresh > 0), 1, sample_size=float(last.sum()), dispersion=rates.dispersion,
        temperature=rates.temperature, fresh=rates.fresh,
    )  # fmt: skip
    share = last[last > 0] / last.sum()
    found = {"support": float(len(share)), "entropy": -float(share @ np.log(share))}
    return all(
        abs(value - made.mean[name][1]) <= _FAR * math.sqrt(made.variance[name][1]) + 1e-9 * abs(value)
        for name, value in found.items()
    )


def _warnings(
    n: int, size: int, chain: bool, noises: Sequence[float], drivers: Sequence[Driver], fresh: float | None
) -> list[str]:
    said = []
    if n > size and not chain:
        said.append(f"sample_size {n:,} exceeds the {size:,} tokens known: types that they lack are not forecast")
    if noises and max(noises) > 1.3:
        said.append(
            f"words cluster in documents: samples differ {max(noises):.2g} times as much as independent tokens would"
        )
    for driver in drivers:
        if driver.first is None and driver.name == "effective_sample_size" and driver.ci_high is None:
            said.append("the drift is within the noise of the samples: the effective sample size may be any above its "
                        "lower bound")  # fmt: skip
    back = [driver for driver in drivers if driver.name == "fresh" and driver.first is not None and driver.ci_low]
    if chain and back:
        said.append("types occur that the text learned from lacks: taken for fresh data, but a model that smooths "
                    "its counts writes such types as well, and is not forecast rightly")  # fmt: skip
    if fresh:
        said.append("fresh data brings types that the baseline lacks: Chao's least number of them is taken")
    return said
