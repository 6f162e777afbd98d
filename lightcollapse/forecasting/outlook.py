"""The course of a vocabulary, and all that spreads it: luck, estimated rates, and what a text does not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lightcollapse.forecasting.answer import LEVEL
from lightcollapse.forecasting.drivers import Rates
from lightcollapse.forecasting.lineage import NUDGE, Kept
from lightcollapse.predictions import spectrum
from lightcollapse.special import ndtri, stdtrit
from lightcollapse.text.tallies import Tallies

Float = NDArray[np.float64]
_OFTEN = 48.0  # copies from which on a type's dispersion is that of frequent ones
_FEWEST_BLOCKS = 16  # of documents, whose spread tells how tokens come together


class Outlook:
    """The course of the start, and how it answers to changes of the rates."""

    def __init__(
        self, start: spectrum.Classes, kept: Kept | None, ahead: int, n: int, rates: Rates, thinned: bool
    ) -> None:
        self.start, self.kept, self.ahead, self.n, self.rates, self.shift = start, kept, ahead, n, rates, int(thinned)
        self.means, self.spreads, self.parts = self._run(rates)

    def _run(self, rates: Rates) -> tuple[dict[str, Float], dict[str, Float], dict[str, Float]]:
        first = max(1.0 - self.n / self.start.size, 1e-6) if self.shift else None
        made = spectrum.course(
            self.start, self.ahead + self.shift, sample_size=self.n, dispersion=rates.dispersion,
            temperature=rates.temperature, fresh=rates.fresh, first_dispersion=first, rare_dispersion=rates.rare,
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

    def slopes(self) -> dict[str, Float]:
        """What one more copy of a type adds to each forecast: by name, (generations + 1, classes)."""
        more = replace(self.start, count=self.start.count * (1.0 + NUDGE))
        rates = self.rates
        moved = spectrum.course(
            more, self.ahead, sample_size=self.n, dispersion=rates.dispersion, temperature=rates.temperature,
            fresh=rates.fresh, rare_dispersion=rates.rare,
        ).parts  # fmt: skip
        step = np.where(self.start.count > 0, NUDGE * self.start.count, np.inf)
        return {name: (moved[name] - parts) / step for name, parts in self.parts.items()}

    def variance(self, clusters: dict[str, Float]) -> dict[str, Float]:
        """Run to run, times what tokens that come together add, and by the errors of the rates."""
        out = {name: values * clusters.get(name, 1.0) for name, values in self.spreads.items()}
        if self.kept is not None:
            for name, doubt in self.kept.doubts(self.ahead, self.n, self.rates).items():
                out[name] = out[name] + doubt
        dispersion, beta, fresh, rare = self.rates.errors
        changed = []
        if rare > 0 and self.rates.rare is not None:
            up = self.rates.rare * (1.0 + NUDGE)
            changed.append((replace(self.rates, rare=up), rare / (NUDGE * self.rates.rare)))
        if dispersion > 0:
            up = self.rates.dispersion * (1.0 + NUDGE)
            changed.append((replace(self.rates, dispersion=up), dispersion / (NUDGE * self.rates.dispersion)))
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


def clusters_of(outlook: Outlook, counted: Tallies) -> dict[str, Float]:
    """How many times as much the forecasts vary from run to run as independent tokens would let them.

    Documents are written independently of each other, tokens in them are not: an n-gram model loses words in passages.
    What one more copy of a type adds to a forecast is summed over the blocks of documents of the last text, and the
    variance of these sums is compared with that of independent tokens, and widened by how surely they tell it.
    """
    start, rates = outlook.start, outlook.rates
    held = _by_block(start, counted)
    if len(held) < _FEWEST_BLOCKS:
        return {}
    tokens, size = held.sum(axis=0), float(held.sum())
    spread = np.where(start.count > _OFTEN, rates.dispersion, rates.rare or rates.dispersion)
    out = {}
    for name, slope in outlook.slopes().items():
        slope = slope - (slope @ tokens / size)[:, None]  # the number of tokens is fixed
        sums = held @ slope[1:].T  # (blocks, generations)
        together = np.cumsum(sums.var(axis=0, ddof=1) * len(held))
        alone = np.cumsum((slope**2 @ (tokens * spread))[1:])
        ratio = np.divide(together, alone, out=np.ones_like(alone), where=alone > 0)
        out[name] = np.concatenate([[1.0], ratio * _doubt(sums)])
    return out


def _by_block(start: spectrum.Classes, counted: Tallies) -> Float:
    """Tokens of the last generation by block of documents and class: float64 (blocks that hold any, classes)."""
    if not len(counted.types):
        return np.empty((0, len(start.count)))
    which = _class_of_pair(counted.counts)[counted.types]
    blocks, classes = int(counted.owner.max()) + 1, len(start.count)
    cells = np.bincount(counted.owner * classes + which, minlength=blocks * classes).reshape(blocks, classes)
    return np.asarray(cells[cells.sum(axis=1) > 0], dtype=np.float64)


def _doubt(sums: Float) -> Float:
    """Square of Student's quantile over the normal one, where a variance is that of these sums: (generations,).

    Its degrees of freedom are 2 blocks/(kurtosis - 1): few where a text in a loop fills a block by itself.
    """
    away = sums - sums.mean(axis=0)
    square, fourth = (away**2).mean(axis=0) ** 2, (away**4).mean(axis=0)
    kurtosis = np.divide(fourth, square, out=np.full_like(square, 3.0), where=square > 0)
    degrees = np.clip(2.0 * len(sums) / np.maximum(kurtosis - 1.0, 1e-3), 2.5, len(sums) - 1.0)
    tail = (1.0 + LEVEL) / 2.0
    return np.asarray((stdtrit(degrees, tail) / ndtri(tail)) ** 2)


def _class_of_pair(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of each type by what the baseline and the last generation have of it, as `start_of` orders them."""
    width = int(counts[-1].max()) + 1
    key = counts[0] * width + counts[-1]
    known = np.unique(key[key > 0])
    return np.asarray(np.searchsorted(known, key))


def of_source(outlook: Outlook, counted: Tallies) -> dict[str, Float]:
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
