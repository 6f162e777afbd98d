"""Where a forecast starts: classes of types, and the lineage of another text of the same source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lightcollapse.predictions import spectrum

if TYPE_CHECKING:
    from lightcollapse.forecasting.drivers import Rates

Float = NDArray[np.float64]
NUDGE = 0.05  # relative change by which slopes are taken
_PARTS = 3
_SPREAD = 64.0  # shape of a Gamma law beyond which types are taken to be equally probable


def start_of(counts: NDArray[np.int64], fresh: bool) -> spectrum.Classes:
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


class Kept:
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

    def course(self, ahead: int, n: int, rates: Rates, factor: float = 1.0) -> spectrum.Course:
        """Of another text and all that follow it; its entry 1 is that text."""
        band = spectrum.band_of(self.values)
        share = self.share * factor
        made = spectrum.Classes(share * n, self.times, share, share, band, float(n))
        return spectrum.course(
            made, self.before + ahead + 1, sample_size=n, dispersion=rates.dispersion, temperature=rates.temperature,
            fresh=rates.fresh, first_dispersion=1.0, rare_dispersion=rates.rare,
        )  # fmt: skip

    def doubts(self, ahead: int, n: int, rates: Rates) -> dict[str, Float]:
        """Variance of what is kept by the errors of Good's shares, from the text on that is the last measured one."""
        plain, moved = (self.course(ahead, n, rates, factor) for factor in (1.0, 1.0 + NUDGE))
        out = {}
        for name in plain.parts:
            if name.startswith("kept_"):
                answer = (moved.parts[name] - plain.parts[name]) * self.times / NUDGE
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
