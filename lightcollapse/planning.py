"""How much fresh human data a training loop needs so that a wanted share of the vocabulary stays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightcollapse.errors import CardError, DataError, nearest, require
from lightcollapse.predictions import keeping, spectrum
from lightcollapse.text.inputs import Given
from lightcollapse.text.reading import MAX_BYTES
from lightcollapse.text.tables import Tables, opened

Float = NDArray[np.float64]

TARGETS = {
    "support": "share of the types that a human text of the same size has",
    "entropy": "share of its entropy",
    "heterozygosity": "share of its heterozygosity",
    "kl": "nats from the source, at most",
}
TRAININGS = ("pooled", "weighted")
EVER = math.inf
_GRID = (0.0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.35, 0.6, 1.0)
_ROUNDS = 60
_REFINED = 4
_SETTLED = 6.0  # generations times fresh share after which a loop has forgotten how it began
MOST_GENERATIONS = spectrum.LONGEST - 1


@dataclass(frozen=True)
class Need:
    """What one target asks of one way of training over one horizon.

    Attributes:
        target, wanted: what is to be kept, and how much of it.
        training: pooled, or weighted (human tokens beside the written ones, with the best weight).
        horizon: generations; infinite for ever.
        fraction: fresh human tokens over those written or learned a generation; None where nothing suffices.
        tokens: the same in tokens a generation; weight: of the human part in the fit.
        cost: of all training sets of the horizon, or of one where it is infinite; None without prices.
        kept: what is then left; without: what is left without fresh data.
        verdict: needed, "nothing needed" or "nothing suffices".
        kind: exact or approximation.
    """

    target: str
    wanted: float
    training: str
    horizon: float
    fraction: float | None
    tokens: int | None
    weight: float | None
    cost: float | None
    kept: float | None
    without: float
    verdict: str
    kind: str


@dataclass(frozen=True)
class Point:
    """A point of the curve of cost against what is kept, with pooled training over the horizon asked for."""

    fraction: float
    tokens: int
    cost: float | None
    kept: dict[str, float]


@dataclass(frozen=True)
class Plan:
    """The answer: a sentence, what each target needs, and the curve.

    Attributes:
        probabilities, times: the source as it was estimated: classes of types, those not seen included.
    """

    sentence: str
    needs: tuple[Need, ...]
    curve: tuple[Point, ...]
    recipe: dict[str, Any]
    warnings: tuple[str, ...]
    probabilities: Float
    times: Float

    def need(self, target: str, training: str = "pooled", horizon: float | None = None) -> Need:
        """The need of a target; `horizon` None takes the generations asked for."""
        for each in self.needs:
            if (each.target, each.training) == (target, training) and (
                each.horizon == horizon or (horizon is None and math.isfinite(each.horizon))
            ):
                return each
        raise KeyError(f"no need of {target!r} with {training!r} training; known: {', '.join(TARGETS)}")


def plan(
    files: Given,
    *,
    keep: Mapping[str, float],
    generations: int = 10,
    sample_size: int | None = None,
    human_cost: float | None = None,
    synthetic_cost: float | None = None,
    unit: str = "words",
    order: int = 1,
    text_field: str = "text",
    errors: str = "strict",
    max_bytes: int = MAX_BYTES,
    tokenizer: str | None = None,
    seed: int = 0,
) -> Plan:
    """The smallest share of fresh human tokens that keeps what is wanted, for `generations` and for ever.

    `files` is human text. `keep` maps support, entropy or heterozygosity to a share in (0, 1] of what a human text of
    `sample_size` tokens (default: as many as the text has) holds, and kl to nats. Costs are prices of a token.

    Raises CardError on an argument that breaks a rule, DataError where the text cannot be read or is too short.
    """
    _check(keep, generations, sample_size, human_cost, synthetic_cost)
    texts = opened(
        files, unit=unit, order=order, text_field=text_field, errors=errors, max_bytes=max_bytes, tokenizer=tokenizer,
        seed=seed,
    )  # fmt: skip
    if len(texts.names) > 1:
        raise CardError(f"a plan starts from human text alone, got {len(texts.names)} generations; give one file")
    counts = Tables(texts).table(order)[:, 0]
    if int(counts.sum()) < 2:
        raise DataError(f"the text holds fewer than two {order}-grams: too little to plan from")
    recipe = {"files": [{"name": file.name, "sha256": file.sha256} for file in texts.files],
              "unit": texts.unit.partition(" ")[0], "order": order}  # fmt: skip
    made = plan_counts(counts, keep=keep, generations=generations, sample_size=sample_size, human_cost=human_cost,
                       synthetic_cost=synthetic_cost)  # fmt: skip
    return Plan(made.sentence, made.needs, made.curve, recipe | made.recipe, made.warnings, made.probabilities,
                made.times)  # fmt: skip


def plan_counts(
    counts: ArrayLike,
    *,
    keep: Mapping[str, float],
    generations: int = 10,
    sample_size: int | None = None,
    human_cost: float | None = None,
    synthetic_cost: float | None = None,
) -> Plan:
    """The same from counts of the types of human text, int (types,)."""
    _check(keep, generations, sample_size, human_cost, synthetic_cost)
    given = np.asarray(counts)
    require(given.ndim == 1 and np.issubdtype(given.dtype, np.integer), "counts must be whole numbers, (types,)",
            given.shape)  # fmt: skip
    require(int(given.min(initial=0)) >= 0 and int(given.sum()) >= 2, "counts must be at least 0 and sum to 2 or more",
            int(given.sum()))  # fmt: skip
    p, times = source_law(given)
    size = int(given.sum())
    n = sample_size or size
    planner = _Planner(p, times, n, generations, human_cost, synthetic_cost)
    needs = tuple(planner.need(target, float(wanted), training, horizon) for target, wanted in keep.items()
                  for horizon in (float(generations), EVER) for training in TRAININGS)  # fmt: skip
    said = []
    if n > size:
        said.append(f"sample_size {n:,} exceeds the {size:,} tokens known: rarer types are taken for as few as may be")
    said.append(f"{100 * float(p[-1] * times[-1]) if planner.unseen(given) else 0:.1f} % of the source is taken for "
                "types that the text lacks (Good), as few as may be (Chao)")  # fmt: skip
    recipe = {"keep": dict(keep), "generations": generations, "sample_size": n, "human_cost": human_cost,
              "synthetic_cost": synthetic_cost, "tokens": size}  # fmt: skip
    return Plan(planner.sentence(needs), needs, planner.curve(), recipe, tuple(said), p, times)


def source_law(counts: NDArray[np.integer[Any]]) -> tuple[Float, Float]:
    """The source as a text shows it: probabilities by class and types in each, those it lacks in the last class.

    Source: Good 1953 for the probabilities, Chao 1984 for the number of types not seen.
    """
    values, times = spectrum.tally(counts)
    size = float(values @ times)
    law = spectrum.good_shares(values, times)
    once, twice = (float(times[values == k].sum()) for k in (1, 2))
    unseen = float(np.ceil(once * max(once - 1.0, 0.0) / (2.0 * (twice + 1.0))))
    missing = once / size if unseen else 0.0
    law = law * (1.0 - missing) / float(law @ times)
    if not unseen:
        return law, times
    return np.append(law, missing / unseen), np.append(times, unseen)


def _check(
    keep: Mapping[str, float], generations: int, sample_size: int | None, human: float | None, synthetic: float | None
) -> None:
    require(bool(keep), "keep must name at least one target", dict(keep), f"known: {', '.join(TARGETS)}")
    for target, wanted in keep.items():
        if target not in TARGETS:
            raise CardError(f"unknown target {target!r}; {nearest(target, TARGETS)}")
        if target == "kl":
            require(math.isfinite(wanted) and wanted > 0, "kl must be above 0", wanted)
        else:
            require(0 < wanted <= 1, f"{target} must lie in (0, 1]", wanted)
    require(1 <= generations <= MOST_GENERATIONS, f"generations must lie in 1 .. {MOST_GENERATIONS}", generations)
    require(sample_size is None or 2 <= sample_size <= 10**12, "sample_size must lie in 2 .. 10^12", sample_size)
    for name, price in (("human_cost", human), ("synthetic_cost", synthetic)):
        require(price is None or (math.isfinite(price) and price >= 0), f"{name} must be at least 0", price)


class _Planner:
    """What is kept at every share of fresh data, and the least share that keeps enough."""

    def __init__(
        self, p: Float, times: Float, n: int, generations: int, human: float | None, synthetic: float | None
    ) -> None:
        self.p, self.times, self.n, self.T = p, times, float(n), generations
        self.human, self.synthetic = human, synthetic
        self._seen: dict[tuple[str, float, int], dict[str, float]] = {}
        self.start = spectrum.Classes(p * n, times, p, p, np.full(len(p), -1), float(n))

    def unseen(self, counts: NDArray[np.integer[Any]]) -> bool:
        """Whether the last class is of types that the text lacks."""
        return float(self.times.sum()) > float(np.count_nonzero(counts))

    def after(self, training: str, fraction: float, generations: int) -> dict[str, float]:
        """What is kept after so many generations."""
        if (training, fraction, generations) not in self._seen:
            fresh = fraction * self.n
            weight = fraction if training == "pooled" else self.weight(fraction)
            made = spectrum.course(
                self.start, generations + 1, sample_size=self.n, fresh=weight or 0.0, first_dispersion=1.0,
                fresh_size=None if training == "pooled" or weight is None else fresh,
            )  # fmt: skip
            kept = {name: float(made.mean[name][-1] / made.mean[name][1]) for name in ("support", "entropy")}
            kept["kl"] = float(made.mean["kl"][-1])
            kept["heterozygosity"] = self.diversity(training, fraction, generations)
            self._seen[training, fraction, generations] = kept
        return self._seen[training, fraction, generations]

    def diversity(self, training: str, fraction: float, horizon: float) -> float:
        """Heterozygosity that is left, exactly."""
        weight = None if training == "pooled" else self.weight(fraction)
        if weight is None:
            return keeping.pooled_diversity(self.n, fraction * self.n if training == "pooled" else 0.0, horizon)
        return keeping.weighted_diversity(self.n, fraction * self.n, weight, horizon)

    def kept(self, target: str, training: str, horizon: float, fraction: float) -> float:
        """What is left of a target: a share, or nats."""
        if target == "heterozygosity":
            return self.diversity(training, fraction, horizon)
        weight = None if training == "pooled" else self.weight(fraction)
        if target == "support" and (training == "weighted" or not math.isfinite(horizon)):
            if fraction * self.n < 1.0 and not math.isfinite(horizon):
                return 1.0 / float(self.times @ -np.expm1(-self.n * self.p))  # one type is left
            effective = keeping.effective_size(self.n, fraction * self.n, horizon, weight)
            return keeping.support_kept(self.p, self.times, self.n, effective)
        if math.isfinite(horizon):
            return self.after(training, fraction, self.T)[target]
        if fraction * self.n < 1.0:
            return 0.0 if target == "entropy" else float(-self.times @ (self.p * np.log(self.p)))
        if (fraction if weight is None else weight) * MOST_GENERATIONS > _SETTLED:
            return self.after(training, fraction, MOST_GENERATIONS)[target]
        left = keeping.dirichlet_entropy(self.p, self.times, self.diversity(training, fraction, horizon), self.n)
        if target == "entropy":
            return left / keeping.dirichlet_entropy(self.p, self.times, 1.0, self.n)
        return float(-self.times @ (self.p * np.log(self.p))) - left

    def weight(self, fraction: float) -> float | None:
        """Of the human part, with the most diversity in the long run; None without one."""
        return keeping.best_weight(self.n, fraction * self.n) if fraction * self.n >= 1.0 else None

    def need(self, target: str, wanted: float, training: str, horizon: float) -> Need:
        """The least share that keeps what is wanted."""

        def excess(fraction: float) -> float:
            left = self.kept(target, training, horizon, fraction)
            return wanted - left if target == "kl" else left - wanted

        without = self.kept(target, training, horizon, 0.0)
        fraction, verdict = _least(excess, target in ("entropy", "kl") or (target, training) == ("support", "pooled"))
        kind = "exact" if target == "heterozygosity" else "approximation"
        if fraction is None:
            return Need(target, wanted, training, horizon, None, None, None, None, None, without, verdict, kind)
        tokens = math.ceil(fraction * self.n - 1e-9)
        weight = (fraction if training == "pooled" else self.weight(max(fraction, 1.0 / self.n))) if tokens else None
        kept = self.kept(target, training, horizon, fraction)
        cost = self.cost(tokens, training, horizon)
        return Need(target, wanted, training, horizon, fraction, tokens, weight, cost, kept, without, verdict, kind)

    def cost(self, tokens: int, training: str, horizon: float) -> float | None:
        """Of the training sets that follow the first; of one where there is no end."""
        if self.human is None and self.synthetic is None:
            return None
        written = self.n - tokens if training == "pooled" else self.n
        each = (self.human or 0.0) * tokens + (self.synthetic or 0.0) * written
        return each * (horizon if math.isfinite(horizon) else 1.0)

    def curve(self) -> tuple[Point, ...]:
        """Cost against what is kept, pooled, after the generations asked for."""
        return tuple(
            Point(f, math.ceil(f * self.n - 1e-9), self.cost(math.ceil(f * self.n - 1e-9), "pooled", float(self.T)),
                  self.after("pooled", f, self.T))
            for f in _GRID
        )  # fmt: skip

    def sentence(self, needs: tuple[Need, ...]) -> str:
        """The answer for pooled training over the generations asked for."""
        parts = []
        for target in dict.fromkeys(need.target for need in needs):
            one, ever = (next(n for n in needs if (n.target, n.training, math.isfinite(n.horizon)) ==
                              (target, "pooled", finite)) for finite in (True, False))  # fmt: skip
            best = next(
                n for n in needs if n.target == target and n.training == "weighted" and math.isfinite(n.horizon)
            )
            what = f"{target} {'at most' if target == 'kl' else 'at'} {one.wanted:g}"
            if one.verdict == "nothing suffices":
                parts.append(f"Nothing keeps {what} over {self.T} generations: even {self.n:,.0f} human tokens a "
                             "generation do not; write more tokens.")  # fmt: skip
                continue
            if one.verdict == "nothing needed":
                tail = _ever(ever)
                parts.append(f"{what[0].upper()}{what[1:]} stays for {self.T} generations without fresh data{tail}.")
                continue
            text = (f"To keep {what} for {self.T} generations, {_percent(one.fraction)} of each training set must be "
                    f"fresh human text: {one.tokens:,} of {self.n:,.0f} tokens")  # fmt: skip
            if best.tokens is not None and one.tokens is not None and best.tokens < one.tokens:
                text += f", or {best.tokens:,} beside {self.n:,.0f} written ones with the best weight"
            parts.append(f"{text}{_ever(ever)}.")
        return " ".join(parts)


def _ever(ever: Need) -> str:
    if ever.fraction is None:
        return "; for ever nothing suffices"
    return f"; for ever {_percent(ever.fraction)}" if ever.fraction > 0 else "; nor is any needed for ever"


def _percent(fraction: float | None) -> str:
    return f"{100 * (fraction or 0.0):.2g} %"


def _least(excess: Callable[[float], float], dear: bool) -> tuple[float | None, str]:
    """The least fraction at which nothing is lacking. `dear`: each look costs, so grid first and few refinements."""
    if excess(0.0) >= 0:
        return 0.0, "nothing needed"
    if excess(1.0) < -1e-12:
        return None, "nothing suffices"
    low, high = 0.0, 1.0
    if dear:
        places = np.array(_GRID)
        lowest, highest = 0, len(places) - 1
        while highest - lowest > 1:
            half = (lowest + highest) // 2
            if excess(float(places[half])) >= 0:
                highest = half
            else:
                lowest = half
        low, high = float(places[lowest]), float(places[highest])
        return _falsi(excess, low, high), "needed"
    for _ in range(_ROUNDS):
        middle = math.sqrt(low * high) if low > 1e-12 else high / 4.0
        if excess(middle) >= 0:
            high = middle
        else:
            low = max(middle, 1e-13)
        if high - low < 1e-9 * high:
            break
    return high, "needed"


def _falsi(excess: Callable[[float], float], low: float, high: float) -> float:
    """A root between two signs by the Illinois rule, from above."""
    below, above = excess(low), excess(high)
    for _ in range(_REFINED):
        place = low + (high - low) * below / (below - above)
        value = excess(place)
        if value >= 0:
            high, above, below = place, value, below / 2.0
        else:
            low, below, above = place, value, above / 2.0
        if high - low < 1e-4 * high or 0 <= value < 1e-6:
            break
    return high
