"""The inverse problem: which card's curves come closest to those that somebody printed, and how sharply they say so."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import CardError, nearest
from lightcollapse.record import Record
from lightcollapse.reproduce.measures import column
from lightcollapse.reproduce.rows import AGREES, DIFFERS
from lightcollapse.reproduce.statistics import Estimate

if TYPE_CHECKING:
    from lightcollapse.reproduce.audit import Finding, Runner, Setting

Float = NDArray[np.float64]

CLOSE = 0.1  # root mean square distance, in nats, below which curves are called matched
_FLAT = 1.1  # values of a dial whose best misfit is at most this many times the least are not told apart
_TIMES = 1.2  # between settings a dial is turned by this factor, smaller at each round
_LEAST = 1e-12

# How a curve is compared, generation by generation: as the logarithm of its ratio to its first point, or as it is.
SCALES: dict[str, Callable[[Float], Float]] = {
    "ratio": lambda curve: np.asarray(np.log(np.maximum(curve / curve[0], _LEAST))),
    "level": lambda curve: np.asarray(curve, dtype=np.float64),
}


def scaled(curve: Float, scale: str) -> Float:
    """A curve on the scale it is compared on, float64 (generations,). Raises CardError on an unknown scale."""
    if scale not in SCALES:
        raise CardError(f"unknown scale {scale!r}; {nearest(scale, SCALES)}")
    return SCALES[scale](np.asarray(curve, dtype=np.float64))


@dataclass(frozen=True)
class Target:
    """Curves to be matched.

    Attributes:
        curves: metric -> its values, generation 0 first, all equally long.
        scales: metric -> a name of SCALES.
    """

    curves: Mapping[str, Sequence[float]]
    scales: Mapping[str, str]

    def distances(self, record: Record, first: int) -> Float:
        """Root mean square distance of each curve after generation 0, float64 (curves,), in nats; `first` is our
        generation that stands for the target's generation 0.
        """
        out = []
        for metric, values in self.curves.items():
            ours = column(record.metrics, metric).mean(axis=0)[first : first + len(values)]
            with np.errstate(all="ignore"):
                gap = scaled(ours, self.scales[metric]) - scaled(np.asarray(values), self.scales[metric])
            out.append(math.sqrt(float(np.mean(gap[1:] ** 2))))
        return np.array(out)


@dataclass(frozen=True)
class Fit:
    """Misfits of a grid of settings.

    Attributes:
        metrics: names of the curves.
        settings: what was tried.
        distances: float64 (settings, curves).
    """

    metrics: tuple[str, ...]
    settings: tuple[Setting, ...]
    distances: Float

    def misfits(self, among: Sequence[str] | None = None) -> Float:
        """Root mean square over these curves (all, unless named), float64 (settings,)."""
        chosen = [i for i, metric in enumerate(self.metrics) if among is None or metric in among]
        return np.asarray(np.sqrt(np.mean(self.distances[:, chosen] ** 2, axis=1)))

    def best(self, among: Sequence[str] | None = None) -> tuple[Setting, float]:
        """The setting that comes closest, and its misfit."""
        misfits = self.misfits(among)
        place = int(np.argmin(misfits))
        return self.settings[place], float(misfits[place])

    def profile(self, dial: str) -> dict[Any, float]:
        """The least misfit at each value of a dial, over all others."""
        out: dict[Any, float] = {}
        for setting, misfit in zip(self.settings, self.misfits(), strict=True):
            value = dict(setting)[dial]
            out[value] = min(out.get(value, math.inf), float(misfit))
        return out


READING = "first generation"  # the dial that says which of ours the target's generation 0 is


def tried(
    target: Target,
    dials: Mapping[str, Sequence[Any]],
    record: Callable[[Setting], Record],
    firsts: Sequence[int] = (0, 1),
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Every combination of the dials' values held to the target, for each reading of its generation 0.

    Args:
        record: what runs a setting.
        firsts: which of our generations may stand for the target's generation 0.
    """
    settings: list[Setting] = []
    rows = []
    combinations = list(itertools.product(*dials.values()))
    for i, values in enumerate(combinations):
        if progress is not None:
            progress(i, len(combinations))
        setting = tuple(zip(dials, values, strict=True))
        held = record(setting)
        for first in firsts:
            settings.append((*setting, (READING, first)))
            rows.append(target.distances(held, first))
    return Fit(tuple(target.curves), tuple(settings), np.array(rows))


def refined(target: Target, start: Setting, record: Callable[[Setting], Record], steps: int) -> tuple[Setting, float]:
    """From a setting on, turn one numeric dial after another a little, and keep what comes closer.

    Fractions and temperatures (floats) are multiplied and divided by a factor that shrinks, and so are sample sizes;
    an order and a reading stay.
    """
    first = dict(start)[READING]
    best = tuple(item for item in start if item[0] != READING)
    least = _misfit(target, record(best), first)
    factor = _TIMES
    places = [i for i, (dial, value) in enumerate(best) if _turns(dial, value)]
    for step in range(steps if places else 0):
        i = places[step % len(places)]
        for times in (factor, 1.0 / factor):
            value = best[i][1] * times
            value = round(value) if isinstance(best[i][1], int) else round(value, 4)
            moved = (*best[:i], (best[i][0], value), *best[i + 1 :])
            try:
                misfit = _misfit(target, record(moved), first)
            except CardError:  # more symbols than there are, a fraction above 1
                continue
            if misfit < least:
                best, least = moved, misfit
                break
        if (step + 1) % len(places) == 0:
            factor = math.sqrt(factor)
    return (*best, (READING, first)), least


def _turns(dial: str, value: Any) -> bool:
    return (isinstance(value, float) and value > 0.0) or (dial == "sample size" and isinstance(value, int))


def _misfit(target: Target, record: Record, first: int) -> float:
    return float(np.sqrt(np.mean(target.distances(record, first) ** 2)))


# As rows of an audit.


def inverted(runner: Runner) -> Iterator[Finding]:
    """The best card, what each dial matters, and which curves go together."""
    from lightcollapse.reproduce.audit import Finding, in_words

    claim, quick = runner.claim, runner.limits.quick
    inverse = claim.inverse
    assert inverse is not None
    metrics = {curve: text.split(" as ") for curve, text in inverse.curves.items()}
    target = Target(
        {metric: claim.curves[curve] for curve, (metric, _) in metrics.items()},
        {metric: scale for metric, scale in metrics.values()},
    )
    replicates = int(inverse.replicates.of(quick))

    def record(setting: Setting) -> Record:
        return runner.record(inverse.card, setting, inverse.unknowns, replicates)

    dials = {one.dial: one.values(quick) for one in inverse.unknowns}
    fit = tried(target, dials, record, progress=runner.progress)
    start, least = fit.best()
    found, best = refined(target, start, record, int(inverse.steps.of(quick)))
    each = _of(target, record, found)
    told = ", ".join(f"{metric.replace('_', ' ')} {one:.2f}" for metric, one in zip(target.curves, each, strict=True))
    verdict = DIFFERS if best > CLOSE else AGREES
    yield Finding(
        claim,
        "misfit of the closest card",
        f"< {CLOSE}",
        Estimate(best, best, best),
        verdict,
        f"{in_words(found)}; root mean squares: {told} nats; on the grid {least:.3f} at {in_words(start)}",
        low=best,
        high=float(fit.misfits().max()),
        settings=len(fit.settings),
        giving=int(np.sum(fit.misfits() <= CLOSE)),
        nearest=in_words(found),
    )
    for dial in (*dials, READING):
        yield _profiled(runner, fit, dial)
    for count in (1, 2):
        for among in itertools.combinations(fit.metrics, count):
            setting, misfit = fit.best(among)
            label = " + ".join(metric.replace("_", " ") for metric in among)
            yield Finding(
                claim,
                f"only {label}",
                f"< {CLOSE}",
                Estimate(misfit, misfit, misfit),
                DIFFERS if misfit > CLOSE else AGREES,
                f"{in_words(setting)}; all three there {float(fit.misfits()[fit.settings.index(setting)]):.2f}",
                settings=len(fit.settings),
                giving=int(np.sum(fit.misfits(among) <= CLOSE)),
                nearest=in_words(setting),
            )


def _of(target: Target, record: Callable[[Setting], Record], setting: Setting) -> Float:
    first = dict(setting)[READING]
    return target.distances(record(tuple(item for item in setting if item[0] != READING)), first)


def _profiled(runner: Runner, fit: Fit, dial: str) -> Finding:
    """The least misfit at each value of a dial, and which values are not told apart."""
    from lightcollapse.reproduce.audit import Finding, in_words

    profile = fit.profile(dial)
    least = min(profile.values())
    flat = [value for value, misfit in profile.items() if misfit <= _FLAT * least]
    told = ", ".join(f"{in_words(((dial, value),)).removeprefix(dial + ' ')}: {m:.2f}" for value, m in profile.items())
    ends = f"not told apart: {', '.join(map(str, flat))}" if len(flat) > 1 else f"only {flat[0]} comes close"
    return Finding(
        runner.claim,
        f"profile of {dial}",
        "",
        Estimate(least, least, least),
        "",
        f"{told}; {ends}",
        low=least,
        high=max(profile.values()),
        settings=len(profile),
    )
