"""A forecast's rows with their intervals, how far they are to be trusted, and what is to be said beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightcollapse.forecasting.answer import LEVEL, Driver, Row
from lightcollapse.forecasting.drivers import Rates
from lightcollapse.forecasting.lineage import start_of
from lightcollapse.forecasting.outlook import Outlook
from lightcollapse.predictions import spectrum
from lightcollapse.special import ndtri

Float = NDArray[np.float64]
HEADLINES = ("support", "entropy", "heterozygosity")
WIDEST = 0.5  # an interval wider than this share of its value says too little
FARTHEST = 5  # times as many generations ahead as were measured: rates are not known to stay longer
NEAR = 2  # the same where types are lost together
TOGETHER = 1.4  # times the variance of independent tokens from which on they are
LOOSE = 2.0  # the same for one metric, beyond which its interval is not to be taken at its word
_FAR = 4.0  # standard errors beyond which a measured generation refutes the picture


def kl_note(start: spectrum.Classes, counts: NDArray[np.int64], chain: bool, rates: Rates) -> tuple[str, float, float]:
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


def rows_of(
    outlook: Outlook,
    spread: dict[str, Float],
    extra: dict[str, Float],
    first: int,
    kl: tuple[str, float, float],
    clusters: dict[str, Float],
) -> tuple[list[Row], dict[str, Float]]:
    z = float(ndtri((1.0 + LEVEL) / 2.0))
    rows, wide, doubts = [], {}, loose(clusters)
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
                doubt = doubts.get(name, "")
                rows.append(Row(name, first + t, float(mean[t]), float(low[t]), float(high[t]), doubt))
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


def trust(
    outlook: Outlook, wide: dict[str, Float], first: int, measured: int, clusters: dict[str, Float]
) -> tuple[int, str]:
    """The last generation to be trusted, and why no later one is."""
    left = outlook.means["heterozygosity"] / max(float(outlook.means["heterozygosity"][0]), 1e-12)
    together = float(clusters["support"][1]) > TOGETHER if "support" in clusters else False
    for t in range(1, outlook.ahead + 1):
        for name in HEADLINES:
            if wide[name][t] > WIDEST:
                return first + t - 1, f"the interval of {name} is then wider than half its value"
        if left[t] < 0.5:
            return first + t - 1, "half of the heterozygosity is then gone, and the approximations with it"
        if together and t > NEAR * measured:
            return first + t - 1, (f"types are lost together, in passages: known for {NEAR} times as far "
                                   "ahead as was measured")  # fmt: skip
        if measured and t > FARTHEST * measured:
            return first + t - 1, f"more than {FARTHEST} times as far ahead as was measured"
    return first + outlook.ahead, "no limit met in the generations asked for"


def loose(clusters: dict[str, Float]) -> dict[str, str]:
    """Metrics whose intervals rest on few documents, and what is to be said of them."""
    return {
        name: f"{name}: a few documents that repeat themselves make most of its spread; 95 % intervals may hold less"
        for name, ratio in clusters.items()
        if float(ratio[1]) > LOOSE
    }


def as_expected(counts: NDArray[np.int64], rates: Rates) -> bool:
    """Whether types and entropy of the last generation are what the one before leads to, within `_FAR` errors."""
    before, last = counts[:-1], counts[-1]
    made = spectrum.course(
        start_of(before, rates.fresh > 0), 1, sample_size=float(last.sum()), dispersion=rates.dispersion,
        temperature=rates.temperature, fresh=rates.fresh, rare_dispersion=rates.rare,
    )  # fmt: skip
    share = last[last > 0] / last.sum()
    found = {"support": float(len(share)), "entropy": -float(share @ np.log(share))}
    return all(
        abs(value - made.mean[name][1]) <= _FAR * math.sqrt(made.variance[name][1]) + 1e-9 * abs(value)
        for name, value in found.items()
    )


def warnings_of(
    n: int,
    size: int,
    chain: bool,
    noises: Sequence[float],
    drivers: Sequence[Driver],
    fresh: float | None,
    clusters: dict[str, Float],
) -> list[str]:
    said = []
    if chain and len(noises) > 1 and not clusters:
        said.append("nothing is known of documents: tokens are taken to be independent, and text of a model of n-grams "
                    "of order 2 or more varies more than the intervals say")  # fmt: skip
    if clusters and float(clusters["support"][1]) > TOGETHER:
        said.append("documents lose types together: the intervals of effective sample size and temperature, which take "
                    "types as independent, may hold 80 % instead of 95 %")  # fmt: skip
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
