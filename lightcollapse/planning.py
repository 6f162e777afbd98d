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
_GRID = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.35, 0.6, 1.0)
_ROUNDING = 1e-12
MOST_GENERATIONS = 10**6


@dataclass(frozen=True)
class Need:
    """What one target asks of one way of training over one horizon.

    What is kept is of the model at the horizon, fitted to its whole training set, in units of one fitted on human text
    of `sample_size` tokens alone; weighted training sets are larger, so that their share of types may exceed 1.

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
    """A point of the curve of cost against what is kept, over the horizon asked for.

    Attributes:
        training, fraction, tokens, cost: as of `Need`.
        kept: of every target.
    """

    training: str
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
    unseen = float(p[-1] * times[-1]) if float(times.sum()) > np.count_nonzero(given) else 0.0
    said.append(f"{100 * unseen:.1f} % of the source is taken for "
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
    """What is kept with so many fresh tokens a generation, and the fewest that keep enough."""

    def __init__(
        self, p: Float, times: Float, n: int, generations: int, human: float | None, synthetic: float | None
    ) -> None:
        self.p, self.times, self.n, self.T = p, times, n, generations
        self.human, self.synthetic = human, synthetic
        self.whole = float(-times @ (p * np.log(p)))  # entropy of the source

    def training(self, kind: str, tokens: int, horizon: float) -> keeping.Training:
        """What a model learns from."""
        return keeping.pooled(self.n, tokens) if kind == "pooled" else keeping.best_weighted(self.n, tokens, horizon)

    def kept(self, target: str, training: keeping.Training, horizon: float) -> float:
        """What the last model has of what one fitted on human text has: a share; of KL, its nats."""
        if target == "heterozygosity":
            return keeping.diversity(training, horizon)
        if target == "support":
            at_first = keeping.support(self.p, self.times, training, 0)
            return keeping.support(self.p, self.times, training, horizon) / at_first
        left = keeping.entropy(self.p, self.times, training, horizon)
        if target == "kl":
            return self.whole - left  # expected shares are those of the source
        return left / max(keeping.entropy(self.p, self.times, training, 0), 1e-300)

    def need(self, target: str, wanted: float, kind: str, horizon: float) -> Need:
        """The fewest tokens that keep what is wanted."""

        def enough(tokens: int) -> bool:
            left = self.kept(target, self.training(kind, tokens, horizon), horizon)
            return left <= wanted + _ROUNDING if target == "kl" else left >= wanted - _ROUNDING

        without = self.kept(target, self.training(kind, 0, horizon), horizon)
        tokens, verdict = _fewest(enough, self.n)
        source = "exact" if target == "heterozygosity" else "approximation"
        if tokens is None:
            return Need(target, wanted, kind, horizon, None, None, None, None, None, without, verdict, source)
        made = self.training(kind, tokens, horizon)
        kept, cost = self.kept(target, made, horizon), self.cost(tokens, kind, horizon)
        weight = made.weight if tokens else None
        return Need(target, wanted, kind, horizon, tokens / self.n, tokens, weight, cost, kept, without, verdict,
                    source)  # fmt: skip

    def cost(self, tokens: int, training: str, horizon: float) -> float | None:
        """Of the training sets that follow the first; of one where there is no end."""
        if self.human is None and self.synthetic is None:
            return None
        written = self.n - tokens if training == "pooled" else self.n
        each = (self.human or 0.0) * tokens + (self.synthetic or 0.0) * written
        return each * (horizon if math.isfinite(horizon) else 1.0)

    def curve(self) -> tuple[Point, ...]:
        """Cost against what is kept after the generations asked for."""
        points = []
        for kind in TRAININGS:
            for tokens in dict.fromkeys(math.ceil(share * self.n - 1e-9) for share in _GRID):
                made = self.training(kind, tokens, float(self.T))
                kept = {target: self.kept(target, made, float(self.T)) for target in TARGETS}
                points.append(Point(kind, tokens / self.n, tokens, self.cost(tokens, kind, float(self.T)), kept))
        return tuple(points)

    def sentence(self, needs: tuple[Need, ...]) -> str:
        """The answer for pooled training over the generations asked for."""
        parts = []
        for target in dict.fromkeys(need.target for need in needs):
            one, ever = (next(n for n in needs if (n.target, n.training, math.isfinite(n.horizon)) ==
                              (target, "pooled", finite)) for finite in (True, False))  # fmt: skip
            best = next(
                n for n in needs if n.target == target and n.training == "weighted" and math.isfinite(n.horizon)
            )
            parts.append(self._answer(one, ever, best))
        return " ".join(parts)

    def _answer(self, one: Need, ever: Need, best: Need) -> str:
        """For one target: pooled, pooled for ever, and weighted."""
        what = f"{one.target} {'at most' if one.target == 'kl' else 'at'} {one.wanted:g}"
        if one.verdict == "nothing suffices":
            text = (f"Nothing keeps {what} over {self.T} generations in {self.n:,} pooled tokens, were all human; "
                    "learn from more tokens")  # fmt: skip
            if best.tokens is not None:
                text += f", or from {best.tokens:,} human ones beside {self.n:,} written ones with the best weight"
            return text + "."
        if one.verdict == "nothing needed":
            return f"{what[0].upper()}{what[1:]} stays for {self.T} generations without fresh data{_ever(ever)}."
        text = (f"To keep {what} for {self.T} generations, {_percent(one.fraction)} of each training set must be fresh "
                f"human text: {one.tokens:,} of {self.n:,} tokens")  # fmt: skip
        if best.tokens is not None and one.tokens is not None and best.tokens < one.tokens:
            text += f", or {best.tokens:,} beside {self.n:,} written ones with the best weight"
        return f"{text}{_ever(ever)}."


def _ever(ever: Need) -> str:
    if ever.fraction is None:
        return "; for ever nothing suffices"
    return f"; for ever {_percent(ever.fraction)}" if ever.fraction > 0 else "; nor is any needed for ever"


def _percent(fraction: float | None) -> str:
    return f"{100 * (fraction or 0.0):.2g} %"


def _fewest(enough: Callable[[int], bool], most: int) -> tuple[int | None, str]:
    """The fewest tokens that are enough, by halving: what is kept grows with them."""
    if enough(0):
        return 0, "nothing needed"
    if not enough(most):
        return None, "nothing suffices"
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2 if low else max(math.isqrt(high), 1)  # a few tokens may do
        if enough(middle):
            high = middle
        else:
            low = middle
    return high, "needed"
