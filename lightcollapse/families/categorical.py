"""The categorical law: frequencies of symbols, with add-k smoothing."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import Curation
from lightcollapse.errors import require
from lightcollapse.families.base import (
    Block,
    Family,
    Simulation,
    integer_columns,
    refuse_source,
    refuse_unknown_symbols,
    used_columns,
    weights,
)
from lightcollapse.families.estimator import DensityEstimator, Estimator, Float
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import ALL, Schedule
from lightcollapse.sources import SymbolSource

_MANY = 256  # symbols from which on those that are lost are worth leaving out


class Categorical(Family, frozen=True):
    """A law over symbols, fitted by their frequencies: neutral Wright-Fisher drift under replacement.

    Args:
        smoothing: k, added to every count (0: maximum likelihood).
        tail_share: the tail, whose mass `tail_mass` follows, is the rarest symbols of the source that together hold at
            most this share of its mass.
        draws: "statistics" draws the counts at once, "points" symbol by symbol; equal in law. "auto": statistics.
    """

    kind: ClassVar[str] = "categorical"
    metrics: ClassVar[tuple[str, ...]] = (
        "heterozygosity",
        "entropy",
        "support",
        "tail_mass",
        "total_variation",
        "kl_model_source",
        "kl_source_model",
        "edge_case_failure",
        "rare_retention",
        "calibration",
        "sharpness",
    )
    abilities: ClassVar[frozenset[str]] = frozenset(
        {
            "answers",
            "closeness",
            "log_density",
            "removal",
            "substitutes",
            "symbols",
            "table",
            "temperature",
            "top_k",
            "top_p",
            "value",
            "weights",
        }
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("support", 1.0)
    smoothing: float = 0.0
    tail_share: float = 0.05
    draws: Literal["auto", "statistics", "points"] = "auto"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(tail_share=0.35), cls(0.1, tail_share=0.35)

    def validate(self) -> None:
        require(math.isfinite(self.smoothing) and self.smoothing >= 0, "smoothing must be at least 0", self.smoothing)
        require(0.0 < self.tail_share < 1.0, "tail_share must lie in (0, 1)", self.tail_share)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, SymbolSource):
            raise refuse_source(self, source, "a source over symbols (uniform, zipf, probabilities)")
        super().check(source, schedule, curation)
        require(
            self.smoothing == 0.0 or bool(np.all(np.isnan(schedule["weight"]))),
            "a weighted fit needs smoothing 0",
            self.smoothing,
        )

    def check_references(self, source: Any, step: Curation) -> None:
        refuse_unknown_symbols(step, len(source.probabilities()))

    def estimator(self, source: Any) -> Estimator:
        return CategoricalEstimator(source, self.smoothing, self.tail_share)

    def prepare(self, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()) -> Simulation:
        if curation or used_columns(schedule) & {"bias", "labs"}:
            return super().prepare(source, schedule, seed, curation)
        return CategoricalSimulation(self, source, schedule, seed)


class CategoricalModel(NamedTuple):
    """Probability of each symbol, float64 (lanes, symbols)."""

    probabilities: Float


@dataclass(frozen=True)
class CategoricalEstimator(DensityEstimator):
    """Points kept: what curations, tilted data and several labs ask for."""

    source: SymbolSource
    smoothing: float
    tail_share: float

    @functools.cached_property
    def law(self) -> Float:
        """The source's probabilities, float64 (symbols,)."""
        return np.ascontiguousarray(self.source.probabilities(), dtype=np.float64)

    @functools.cached_property
    def measured_by(self) -> tuple[Float, Float]:
        """The source and its tail, as kernels that measure read them."""
        return with_tail(self.law, self.tail_share)

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        law = self.source.tilted(bias).probabilities() if bias else self.law
        return self._drawn(np.broadcast_to(law, (draws.lanes, len(law))), count, draws)

    def write(self, model: CategoricalModel, count: int, draws: Draws) -> Float:
        return self._drawn(model.probabilities, count, draws)

    def _drawn(self, probabilities: Float, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.categorical import invert

        out = draws.uniforms(count)
        tails = np.cumsum(probabilities[:, ::-1], axis=1)[:, ::-1]
        invert(np.ascontiguousarray(tails), out)
        return out[:, :, None]

    def fit(self, points: Float, weights: Float, previous: CategoricalModel | None, draws: Draws) -> CategoricalModel:
        lanes, symbols = len(points), len(self.law)
        place = points[:, :, 0].astype(np.int64) + symbols * np.arange(lanes)[:, None]
        counts = np.bincount(place.ravel(), weights.ravel(), lanes * symbols).reshape(lanes, symbols)
        mass = counts + self.smoothing
        total = mass.sum(axis=1, keepdims=True)
        return CategoricalModel(mass / np.where(total > 0.0, total, 1.0))

    def measure(self, model: CategoricalModel, draws: Draws) -> dict[str, Float]:
        from lightcollapse.kernels.categorical import measure_lanes

        out = np.empty((len(Categorical.metrics), len(model.probabilities)))
        measure_lanes(np.ascontiguousarray(model.probabilities), *self.measured_by, out)
        return dict(zip(Categorical.metrics, out, strict=True))

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        return self.measure(self._source_model(draws.lanes), draws)

    def _source_model(self, lanes: int) -> CategoricalModel:
        return CategoricalModel(np.tile(self.law, (lanes, 1)))

    def pairs(self, model: CategoricalModel) -> tuple[Float, Float]:
        return 1.0 - (model.probabilities**2).sum(axis=1), model.probabilities

    def source_pairs(self) -> float:
        return float(1.0 - (self.law**2).sum())

    def decode(
        self, model: CategoricalModel | None, lanes: int, temperature: float, top_k: int, top_p: float
    ) -> CategoricalModel:
        probabilities = (self._source_model(lanes) if model is None else model).probabilities
        return CategoricalModel(sharpened(probabilities, temperature, top_k, top_p))

    def log_density(self, model: CategoricalModel, points: Float) -> Float:
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(model.probabilities, points[:, :, 0].astype(np.int64), axis=1))

    def source_log_density(self, points: Float) -> Float:
        with np.errstate(divide="ignore"):
            return np.log(self.law)[points[:, :, 0].astype(np.int64)]

    def uniform(self, uniforms: Float) -> Float:
        symbols = len(self.law)
        return np.asarray(np.minimum(np.floor(uniforms * symbols), symbols - 1.0))

    def right(self, points: Float, answers: tuple[float, ...]) -> NDArray[np.bool_]:
        return np.isin(points[:, :, 0], answers)


def sharpened(probabilities: Float, temperature: float, top_k: int, top_p: float) -> Float:
    """Each row to the power 1 / temperature, then its k likeliest symbols, then the smallest set of the likeliest that
    holds `top_p` of what is left; ties go to the earlier symbol. float64 (laws, symbols).
    """
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities) / temperature
    sharp: Float = np.exp(logs - logs.max(axis=1, keepdims=True))
    order = np.argsort(-sharp, axis=1, kind="stable")
    ranked = np.take_along_axis(sharp, order, axis=1)
    if top_k:
        ranked[:, top_k:] = 0.0
    ranked /= ranked.sum(axis=1, keepdims=True)
    before = np.cumsum(ranked, axis=1) - ranked
    if top_p < 1.0:
        ranked[before >= top_p * (1.0 - 1e-12)] = 0.0
    np.put_along_axis(sharp, order, ranked / ranked.sum(axis=1, keepdims=True), axis=1)
    return sharp


def tail_symbols(probabilities: NDArray[np.float64], share: float) -> tuple[NDArray[np.int64], int]:
    """Symbols from the rarest on, int64 (symbols,), and how many of them the tail holds.

    Ties go to the later symbol first, so that for a ranked source the tail is its end.
    """
    order = len(probabilities) - 1 - np.argsort(probabilities[::-1], kind="stable")
    held = np.cumsum(probabilities[order])
    return order.astype(np.int64), int(np.searchsorted(held, share * (1 + 1e-12), side="right"))


def with_tail(probabilities: Float, share: float) -> tuple[Float, Float]:
    """What kernels that measure read of the source.

    Its probabilities, with a minus sign in the tail, and their logarithms, 0 where there is none: float64 (2, symbols).
    And float64 (4,): no mass is left out yet, of the whole and of the tail; the tail's mass, and how many of its
    symbols have any.
    """
    order, rare = tail_symbols(probabilities, share)
    marked = probabilities.copy()
    marked[order[:rare]] *= -1.0
    logs = np.log(np.where(probabilities > 0.0, probabilities, 1.0))
    tail = probabilities[order[:rare]]
    return np.stack([marked, logs]), np.array([0.0, 0.0, tail.sum(), np.count_nonzero(tail)])


@dataclass(frozen=True)
class CategoricalSimulation:
    """A categorical card made ready to run."""

    family: Categorical
    source: SymbolSource
    schedule: Schedule
    seed: int

    @functools.cached_property
    def tables(self) -> tuple[Any, ...]:
        """What the kernel reads beside the replicate: schedule, weights, the fit, the law and its tail."""
        probabilities = np.ascontiguousarray(self.source.probabilities(), dtype=np.float64)
        return (
            integer_columns(self.schedule),
            weights(self.schedule),
            float(self.family.smoothing),
            self.family.draws == "points",
            probabilities,
            *with_tail(probabilities, self.family.tail_share),
        )

    @property
    def block_size(self) -> int:
        """As many as make some work of a block; their results take no more than a few MiB."""
        return max(1, min(1024, 2**19 // (len(self.schedule) + 1) // len(self.family.metrics)))

    @property
    def memory(self) -> int:
        """About fifteen numbers a symbol, and the counts of every batch of a window that moves."""
        symbols = len(self.tables[4])
        behind = np.arange(len(self.schedule)) + 1 - self.schedule["oldest"]
        moves = bool(np.any(np.diff(self.schedule["oldest"][1:]) > 0))
        return 8 * symbols * (15 + (int(behind.max()) if moves else 0))

    @functools.cached_property
    def drifts_from(self) -> int:
        """First generation from which on each is trained on what the last model wrote alone, the one before it on
        counts; one after the last where symbols are few or seen again.
        """
        rows, end = self.schedule, len(self.schedule) + 1
        if self.family.smoothing > 0.0 or self.family.draws == "points" or len(self.tables[4]) < _MANY:
            return end
        written = (rows["fresh"] == 0) & (rows["anchor"] == 0) & (rows["take"] == ALL)
        counted = np.isnan(rows["weight"])
        alone = written & (rows["oldest"] == np.arange(len(rows))) & counted
        alone[1:] &= counted[:-1]
        alone[0] = False
        return int(np.max(np.flatnonzero(~alone))) + 2

    def run_block(self, replicates: NDArray[np.uint64]) -> Block:
        from lightcollapse.kernels.categorical import recursions
        from lightcollapse.kernels.rng import key

        names = self.family.metrics
        out = np.empty((len(replicates), len(names), len(self.schedule) + 1))
        if self.drifts_from <= len(self.schedule):
            self._drift(replicates, out)
        else:
            recursions(*self.tables, replicates, *key(self.seed), out)
        return Block({name: np.ascontiguousarray(out[:, i]) for i, name in enumerate(names)})

    def _drift(self, replicates: NDArray[np.uint64], out: Float) -> None:
        """Fill out (replicates, metrics, generations + 1) where lost symbols stay lost."""
        from lightcollapse.kernels.categorical import generations, rooms
        from lightcollapse.kernels.drift import drift
        from lightcollapse.kernels.poisson import tables_for
        from lightcollapse.kernels.rng import key

        schedule, _, _, _, law, source, gone = self.tables
        steady = int(self.schedule["size"][-1])
        tables = tables_for(len(law), steady)
        room = getattr(rooms, "py_func", rooms)(schedule, len(law), self.drifts_from)  # makes arrays, and no more
        counts, numbers, scratch = room[3], room[4], room[5]
        for i, replicate in enumerate(replicates):
            counter = (replicate, *key(self.seed))
            size = generations(*self.tables, *counter, out[i], *room, self.drifts_from)
            counts[0] += counts[1]
            drift(
                self.drifts_from, schedule, counts[0], counts[1], size, source.copy(), gone.copy(), steady,
                *tables, numbers, scratch, *counter, out[i],
            )  # fmt: skip
