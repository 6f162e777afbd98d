"""The cheapest mix of human and synthetic data over time, and the fresh data that repays what it has lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.errors import require
from lightcollapse.reproduce.statistics import Estimate

if TYPE_CHECKING:
    from lightcollapse.reproduce.audit import Finding, Runner

Float = NDArray[np.float64]

_LEVELS = 2001  # of diversity between floor and 1, on which plans are compared


class Debt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A buyer of training data.

    Attributes:
        sample_size, generations: points a generation, and how many generations are bought for.
        floor: share of the source's diversity that every model must keep.
        prices: of a human point, in synthetic ones; the first is the preset's.
        floors: other floors that are tried.
        repaid: share to be reached again.
    """

    sample_size: int
    generations: int
    floor: float
    prices: tuple[float, ...]
    floors: tuple[float, ...]
    repaid: float


def mixed_diversity(diversity: ArrayLike, fresh: ArrayLike, sample_size: int) -> Float:
    """Expected diversity of the next model, as a share of the source's, from that of the last one: of n points m are
    fresh and k = n - m written. Exact: h' = (m(m - 1) + 2mk + k(k - 1)h) / n^2.
    """
    m = np.asarray(fresh, dtype=np.float64)
    k = sample_size - m
    return np.asarray((m * (m - 1.0) + 2.0 * m * k + k * (k - 1.0) * np.asarray(diversity)) / sample_size**2)


def cheapest_mix(sample_size: int, generations: int, floor: float, price: float) -> NDArray[np.int64]:
    """Fresh points in training sets 2, 3, .. of least cost that keep every model's expected diversity at `floor` or
    above, int64 (generations - 1,): by dynamic programming on rounded-down levels, so that the floor is kept.

    Raises CardError where not even fresh points alone keep it.
    """
    start = 1.0 - 1.0 / sample_size
    require(floor <= start, f"the floor must be at most what one sample keeps, {start:g}", floor)
    levels = np.linspace(floor, start, _LEVELS)
    fresh = np.arange(sample_size + 1)
    after = mixed_diversity(levels[:, None], fresh[None, :], sample_size)  # (levels, fresh)
    place = np.searchsorted(levels, after * (1.0 + 1e-12), side="right") - 1
    cost = np.where(place >= 0, fresh * price + (sample_size - fresh), np.inf)
    value = np.zeros(_LEVELS)
    choices = []
    for _ in range(generations - 1):
        total = cost + value[np.maximum(place, 0)]
        choices.append(total.argmin(axis=1))
        value = total.min(axis=1)
    out, level = [], start
    for choice in reversed(choices):
        held = int(np.searchsorted(levels, level * (1.0 + 1e-12), side="right")) - 1
        out.append(int(choice[max(held, 0)]))
        level = float(mixed_diversity(level, out[-1], sample_size))
    return np.array(out, dtype=np.int64)


def kept(sample_size: int, fresh: ArrayLike) -> Float:
    """Expected diversity of each model of a plan, float64 (generations,), from model 1 on."""
    out = [1.0 - 1.0 / sample_size]
    for points in np.asarray(fresh):
        out.append(float(mixed_diversity(out[-1], points, sample_size)))
    return np.array(out)


def points_to_repay(diversity: float, repaid: float, sample_size: int) -> int:
    """Least fresh points in one training set after which the model has `repaid` of the source's diversity again; one
    more than the sample size where none do.
    """
    after = mixed_diversity(diversity, np.arange(sample_size + 1), sample_size)
    reached = after >= repaid
    return int(reached.argmax()) if reached.any() else sample_size + 1


def owed(runner: Runner) -> Iterator[Finding]:
    """What the cheapest plan looks like, and what it leaves to be repaid, over prices and floors."""
    from lightcollapse.reproduce.audit import Finding
    from lightcollapse.reproduce.rows import AGREES, DIFFERS

    debt = runner.claim.debt
    assert debt is not None
    n, plans = debt.sample_size, {}
    for floor in (debt.floor, *debt.floors):
        for price in debt.prices:
            plans[floor, price] = cheapest_mix(n, debt.generations, floor, price)
    first = (debt.floor, debt.prices[0])

    def row(label: str, article: str, values: dict[Any, float], good: Callable[[float], bool], why: str) -> Finding:
        ours, giving = values[first], sum(map(good, values.values()))
        return Finding(
            runner.claim,
            label,
            article,
            Estimate(ours, ours, ours),
            AGREES if giving == len(values) else DIFFERS,
            why,
            low=min(values.values()),
            high=max(values.values()),
            settings=len(values),
            giving=giving,
        )

    shares = {key: 1.0 - float(plan.mean()) / n for key, plan in plans.items()}
    early = {key: int(np.argmax(plan > 0)) if plan.any() else len(plan) for key, plan in plans.items()}
    spared = {
        key: float(plan.sum() * key[1] + (n - plan).sum()) / (n * len(plan) * key[1]) for key, plan in plans.items()
    }
    yield row(
        "synthetic share of the cheapest mix",
        "> 0.5",
        shares,
        lambda share: share > 0.5,
        f"no human point in the first {early[first]} training sets, then {int(plans[first].max())} of {n} at most: it "
        "jumps to synthetic data at once, and keeps a few human points only at the floor",
    )
    yield row("its cost, all human = 1", "< 1", spared, lambda cost: cost < 1.0, "exact, by dynamic programming")
    lowest = {key: float(kept(n, plan)[-1]) for key, plan in plans.items()}
    repay = {key: points_to_repay(level, debt.repaid, n) / n for key, level in lowest.items()}
    yield row(
        f"fresh share that repays to {debt.repaid:g}",
        "> 0",
        repay,
        lambda share: share > 0.0,
        f"in one generation, from the {lowest[first]:.3f} that the last model keeps; floors {debt.floor:g}, "
        f"{', '.join(f'{floor:g}' for floor in debt.floors)}, human points {', '.join(f'{p:g}' for p in debt.prices)} "
        "times as dear",
    )
