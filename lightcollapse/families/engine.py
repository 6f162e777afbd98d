"""The engine: a block of replicates through all generations, for any family that has an Estimator.

Generations are a loop in Python; what happens in one is done for all lanes of the block at once. A lane is a replicate,
or a lab of a replicate. Media differ in what they keep of a batch: its points, or sums of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import COSTS, Curation, Stage, metrics_of
from lightcollapse.families.base import ISLANDS, Block, Family, needs_points, used_columns
from lightcollapse.families.estimator import Additive, Estimator, Float, Model, Statistics
from lightcollapse.kernels import draws as purposes
from lightcollapse.kernels.draws import Batch, Draws, join, taken
from lightcollapse.schedule import ALL, REAL, Schedule

_BLOCK_BYTES = 2**22  # of training points that a block of lanes holds: about a second-level cache
_MOST_LANES = 4096  # fewer, and threads wait for one another in what Python does between kernels
_FEW_LANES, _MOST_BYTES = 64, 2**24  # where lanes are long


class Medium(Protocol):
    """What is kept of a batch, and how it is fitted."""

    def real(self, count: int, draws: Draws, bias: float) -> Any: ...
    def write(self, past: Past, count: int, draws: Draws) -> Any: ...
    def reused(self, batches: list[Any], count: int, draws: Draws) -> Any: ...
    def join(self, batches: list[Any]) -> Any: ...
    def fit(self, real: Any, synthetic: Any, weight: float, past: Past, draws: Draws) -> Model: ...


class Past(NamedTuple):
    """What a generation looks back on."""

    model: Model | None
    first: Model | None
    batches: dict[int, Any]
    wrote: Any = None  # what the model wrote already, where its curation is measured
    pool: tuple[int, Any] | None = None  # sums of the batches from that one on, so that none is added twice


@dataclass(frozen=True)
class Sums:
    """Batches as statistics. Nothing can be taken from them, curated or removed."""

    estimator: Additive

    def real(self, count: int, draws: Draws, bias: float) -> Statistics:
        return self.estimator.real_statistics(count, draws)

    def write(self, past: Past, count: int, draws: Draws) -> Statistics:
        return self.estimator.write_statistics(past.model, count, draws)

    def reused(self, batches: list[Statistics], count: int, draws: Draws) -> Statistics:
        return self.join(batches)

    def join(self, batches: list[Statistics]) -> Statistics:
        whole = batches[0]
        for batch in batches[1:]:
            whole = self.estimator.merge(whole, batch)
        return whole

    def fit(
        self, real: Statistics | None, synthetic: Statistics | None, weight: float, past: Past, draws: Draws
    ) -> Model:
        return self.estimator.fit_statistics(real, synthetic, weight, past.model)


@dataclass(frozen=True)
class Points:
    """Batches as points, curated on their way.

    `estimator` is an Estimator, or whatever else offers a curation what it needs.
    """

    estimator: Any
    curation: tuple[Curation, ...] = ()

    def real(self, count: int, draws: Draws, bias: float) -> Batch:
        return Batch.whole(self.estimator.real(count, draws, bias))

    def write(self, past: Past, count: int, draws: Draws) -> Batch:
        return self.curated(past, count, draws)[0]

    def curated(self, past: Past, count: int, draws: Draws) -> tuple[Batch, dict[str, Float]]:
        """What the last model wrote, after every step of the curation, and what the steps measured."""
        measured: dict[str, Float] = {}

        def written(wanted: int) -> Batch:
            samples = measured.get("samples_drawn", np.zeros(draws.lanes))
            measured["samples_drawn"] = samples + float(wanted)
            if past.model is None:
                return Batch.whole(self.estimator.real(wanted, draws))
            return Batch.whole(self.estimator.write(past.model, wanted, draws))

        source = written
        for number, step in enumerate(self.curation):
            stage = self.stage(past, draws.stream(purposes.CURATION + number), measured)
            source = _after(step, stage, source)
        batch = source(count)
        measured.setdefault("evaluations", np.zeros(draws.lanes))
        return batch, measured

    def stage(self, past: Past, draws: Draws, measured: dict[str, Float]) -> Stage:
        """What one step may ask for."""
        earlier = tuple(past.batches[g] for g in sorted(past.batches, reverse=True) if g > REAL)
        return Stage(self.estimator, past.model, past.first, earlier, draws, measured)

    def real_curated(self, batch: Batch, past: Past, draws: Draws) -> Batch:
        """Real points after every step, from training set 2 on."""
        for number, step in enumerate(self.curation):
            stream = purposes.CURATION + 2 * purposes.STEPS + number
            batch = step.real(self.stage(past, draws.stream(stream), {}), batch)
        return batch

    def reused(self, batches: list[Batch], count: int, draws: Draws) -> Batch:
        """`count` points without replacement, of those that were not removed as long as there are any."""
        points = sum(batch.count for batch in batches)
        if count in (ALL, points):
            return join(batches)
        if any(batch.removed for batch in batches):
            whole = join(batches)
            return taken([whole], draws.places(count, points, whole.weights))
        return taken(batches, draws.places(count, points))

    def join(self, batches: list[Batch]) -> Batch:
        return join(batches)

    def fit(self, real: Batch | None, synthetic: Batch | None, weight: float, past: Past, draws: Draws) -> Model:
        batch = _mixed(real, synthetic, weight)
        model = self.estimator.fit(batch.points, batch.weights, past.model, draws)
        return _kept(model, past.model, batch.weights.sum(axis=1) > 0.0)


def _after(step: Curation, stage: Stage, source: Any) -> Any:
    return lambda count: step.curate(stage, source, count)


def _mixed(real: Batch | None, synthetic: Batch | None, weight: float) -> Batch:
    """Both parts as one batch; where `weight` is no NaN, the real part has that share of the whole weight."""
    if real is None or synthetic is None:
        only = real if synthetic is None else synthetic
        assert only is not None  # a training set is never empty
        return only
    whole = join([real, synthetic])
    if math.isnan(weight):
        return whole
    parts = [batch.weights.sum(axis=1, keepdims=True) for batch in (real, synthetic)]
    total = parts[0] + parts[1]
    shares = [np.where(part > 0.0, share * total / np.where(part > 0.0, part, 1.0), 0.0)
              for share, part in zip((weight, 1.0 - weight), parts, strict=True)]  # fmt: skip
    weights = np.concatenate([real.weights * shares[0], synthetic.weights * shares[1]], axis=1)
    return Batch(whole.points, weights)


def _kept(model: Model, previous: Model | None, alive: NDArray[np.bool_]) -> Model:
    """The new model, but for lanes that had nothing to learn from: they keep their old one."""
    if previous is None or bool(alive.all()):
        return model
    return type(model)(*(
        np.where(alive.reshape(-1, *(1,) * (new.ndim - 1)), *_as_long(new, old))
        for new, old in zip(model, previous, strict=True)
    ))  # fmt: skip


def _as_long(new: Float, old: Float) -> tuple[Float, Float]:
    """Both with as many places for points: zeros fill up what a model holds of them, and their weights."""
    if new.shape == old.shape:
        return new, old
    places = max(new.shape[1], old.shape[1])
    one, other = (
        np.pad(part, ((0, 0), (0, places - part.shape[1]), *((0, 0),) * (part.ndim - 2))) for part in (new, old)
    )
    return one, other


def recursion(
    family: Family, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()
) -> Recursion:
    """The engine for a card: with sums where they suffice, else with points."""
    estimator = family.estimator(source)
    islands = "labs" in used_columns(schedule)
    metrics = family.metrics + (ISLANDS if islands else ()) + metrics_of(curation)
    points = bool(curation) or islands or "bias" in used_columns(schedule) or needs_points(schedule)
    medium: Medium = Points(estimator, curation)
    if isinstance(estimator, Additive) and not points and not family.wants_points():
        medium = Sums(estimator)
    return Recursion(estimator, schedule, metrics, medium, seed, curation)


@dataclass(frozen=True)
class Recursion:
    """A card made ready to run by the engine."""

    estimator: Estimator
    schedule: Schedule
    metrics: tuple[str, ...]
    medium: Medium
    seed: int
    curation: tuple[Curation, ...] = ()

    @cached_property
    def labs(self) -> int:
        """Models side by side."""
        return int(self.schedule["labs"].max())

    @cached_property
    def grows(self) -> bool:
        """Whether points only join the pool, where nobody asks which generation wrote them."""
        later = self.schedule["oldest"][1:]
        return isinstance(self.medium, Points) and not self.curation and bool((later == later[:1]).all())

    @property
    def points_kept(self) -> int:
        """The most points that a lane holds at a time; where it holds sums, as many as take their room."""
        if isinstance(self.medium, Sums):
            reach = np.arange(1, len(self.schedule) + 1) - self.schedule["oldest"]
            numbers = (int(reach.max()) + 2) * self.medium.estimator.numbers
            return max(64, numbers // (self.estimator.dimension + 1))
        batches = np.concatenate([[int(self.schedule["size"][0])], self.schedule["sample"][1:]])
        written = math.prod(step.written() for step in self.curation) * float(self.schedule["sample"].max())
        held = [
            int(written + batches[row["oldest"] : t].sum() + row["size"])
            for t, row in enumerate(self.schedule, start=1)
        ]
        return max(held)

    @property
    def block_size(self) -> int:
        """Replicates of a block whose numbers fit a second-level cache; where that is a few, more of them up to
        _MOST_BYTES, lest the calls that gather points cost more than the points.
        """
        lane = 8 * (self.estimator.dimension + 1) * max(1, self.points_kept)
        lanes = min(_MOST_LANES, _BLOCK_BYTES // lane)
        if isinstance(self.medium, Points):
            lanes = max(lanes, min(_FEW_LANES, _MOST_BYTES // lane))
        lanes -= lanes % 8 if lanes > 8 else 0  # as many as kernels take side by side
        return max(1, lanes // self.labs)

    @property
    def memory(self) -> int:
        """Points and their weights, and copies of them while they are gathered and written."""
        return 3 * 8 * self.block_size * self.labs * self.points_kept * (self.estimator.dimension + 1)

    def run_block(self, replicates: NDArray[np.uint64]) -> Block:
        """Run these replicates through all generations."""
        labs = self.labs
        draws = Draws(
            np.repeat(replicates, labs), np.tile(np.arange(labs, dtype=np.uint64), len(replicates)), self.seed
        )
        out = {name: np.empty((len(replicates), len(self.schedule) + 1)) for name in self.metrics}
        past = Past(None, None, {})
        self.note(out, 0, self.estimator.measure_source(draws.at(0, purposes.MEASURE)) | self.spread(None, draws.lanes))
        self.note(out, 0, self.curated(past, 1, draws)[1])
        for t in range(1, len(self.schedule) + 1):
            past = self.generation(past, t, draws)
            measured = self.estimator.measure(past.model, draws.at(t, purposes.MEASURE))
            wrote, curated = self.curated(past, t + 1, draws)
            past = past._replace(wrote=wrote)
            self.note(out, t, measured | self.spread(past.model, draws.lanes) | curated)
        return Block(out)

    def note(self, out: dict[str, Float], t: int, measured: dict[str, Float]) -> None:
        """Write one generation's metrics; with several labs, the mean over labs."""
        for name, values in measured.items():
            out[name][:, t] = values if self.labs == 1 else values.reshape(len(out[name]), -1).mean(axis=1)

    def generation(self, past: Past, t: int, draws: Draws) -> Past:
        """Gather training set t, fit model t."""
        row = self.schedule[t - 1]
        if t > 1 and self.labs > 1:
            batch = self.islands(past, t, draws)
            return past._replace(model=self.medium.fit(None, batch, math.nan, past, draws.at(t, purposes.FIT)))
        batches = {g: batch for g, batch in past.batches.items() if g >= int(row["oldest"]) or g == REAL}
        if row["sample"] > 0:
            batches[t - 1] = self.wrote(past, t, draws)
            if self.grows:
                _pile(batches)
        past = past._replace(batches=batches)
        real = self.real_part(row, past, t, draws)
        if t == 1:
            batches[REAL] = real
        synthetic = self.synthetic_part(row, past, t, draws)
        model = self.medium.fit(real, synthetic, float(row["weight"]), past, draws.at(t, purposes.FIT))
        pool = (int(row["oldest"]), synthetic) if isinstance(self.medium, Sums) and synthetic is not None else None
        return Past(model, past.first if t > 1 else model, batches, pool=pool)

    def real_part(self, row: Any, past: Past, t: int, draws: Draws) -> Any:
        """Fresh real points and points of the first real sample, or None."""
        parts = []
        if row["fresh"] > 0:
            parts.append(self.medium.real(int(row["fresh"]), draws.at(t, purposes.REAL), float(row["bias"])))
        if row["anchor"] != 0:
            parts.append(self.medium.reused([past.batches[REAL]], int(row["anchor"]), draws.at(t, purposes.ANCHOR)))
        if not parts:
            return None
        real = self.medium.join(parts)
        if t > 1 and isinstance(self.medium, Points):
            real = self.medium.real_curated(real, past, draws.at(t, purposes.REAL))
        return real

    def synthetic_part(self, row: Any, past: Past, t: int, draws: Draws) -> Any:
        """What the row takes of its pool, or None."""
        oldest = int(row["oldest"])
        pool = [past.batches[g] for g in range(oldest, t) if g in past.batches]
        if row["take"] == 0 or not pool:
            return None
        if past.pool is not None and past.pool[0] == oldest:
            pool = [past.pool[1], past.batches[t - 1]]
        return self.medium.reused(pool, int(row["take"]), draws.at(t, purposes.POOL))

    def wanted(self, t: int) -> int:
        """Points that a lane writes for training set t, and after the last one as many as for it."""
        row = self.schedule[min(max(t, 2), len(self.schedule)) - 1]
        if row["labs"] == 1:
            return int(row["sample"])
        asked = float(row["size"] * (row["own"] + row["shared"]))  # more than this many with a chance below 1e-20
        return min(self.labs * int(row["size"]), math.ceil(asked + 10.0 * math.sqrt(asked * self.labs) + 20.0))

    def wrote(self, past: Past, t: int, draws: Draws) -> Any:
        """What the last model writes for training set t."""
        if past.wrote is not None:
            return past.wrote
        return self.medium.write(past, self.wanted(t), draws.at(t, purposes.SYNTHETIC))

    def curated(self, past: Past, t: int, draws: Draws) -> tuple[Any, dict[str, Float]]:
        """What the last model writes for training set t, and what the curation measures of it."""
        if not self.curation or not isinstance(self.medium, Points):
            return None, {}
        wanted = self.wanted(t)
        count = wanted or int(self.schedule["size"][0])  # measured even where nothing is written to be learned from
        batch, measured = self.medium.curated(past, count, draws.at(t, purposes.SYNTHETIC))
        if wanted == 0:
            measured |= dict.fromkeys(COSTS, np.zeros(draws.lanes))
        return batch, {name: measured[name] for name in metrics_of(self.curation)}

    # Islands: several labs, each lane one of them.

    def islands(self, past: Past, t: int, draws: Draws) -> Batch:
        """Training set t of every lab: each point, by a chance of its own, is new from the lab's own model, new from a
        lab of the pool, or fresh. No point is used twice.
        """
        assert isinstance(self.medium, Points)
        row, labs = self.schedule[t - 1], self.labs
        size, own, shared = int(row["size"]), float(row["own"]), float(row["shared"])
        chance = draws.at(t, purposes.ISLANDS).uniforms(2 * size)
        lane = np.arange(draws.lanes)[:, None]
        other = lane - lane % labs + np.minimum((chance[:, size:] * labs).astype(np.int64), labs - 1)
        writer = np.where(chance[:, :size] < own, lane, np.where(chance[:, :size] < own + shared, other, -1))
        wrote = self.wrote(past, t, draws)
        fresh = self.medium.real(size, draws.at(t, purposes.REAL), float(row["bias"]))
        place = _places(writer, draws.lanes) % wrote.count
        at = np.maximum(writer, 0)
        from_model = writer >= 0
        points = np.where(from_model[:, :, None], wrote.points[at, place], fresh.points)
        weights = np.where(from_model, wrote.weights[at, place], fresh.weights)
        return Batch(np.ascontiguousarray(points), np.ascontiguousarray(weights))

    def spread(self, model: Model | None, lanes: int) -> dict[str, Float]:
        """Diversity within a lab, between two labs, of the whole, and F_ST: the share of it that lies between labs."""
        if self.labs == 1:
            return {}
        labs = self.labs
        if model is None:
            source = np.full(lanes, self.estimator.source_pairs())
            return {"within": source, "between": source, "total": source, "fst": np.zeros(lanes)}
        diversity, place = self.estimator.pairs(model)
        within = diversity.reshape(-1, labs).mean(axis=1)
        places = place.reshape(len(within), labs, -1)
        centred = places - places.mean(axis=1, keepdims=True)
        between = within + (centred**2).sum(axis=(1, 2)) / (labs - 1)
        total = (within + (labs - 1) * between) / labs
        fst = 1.0 - within / np.where(between > 0.0, between, 1.0)
        return {"within": within, "between": between, "total": total, "fst": np.where(between > 0.0, fst, 0.0)}


def _pile(batches: dict[int, Batch]) -> None:
    """Join batches until each holds more points than the next: few are left to gather from, and a point is copied a
    few times in all. Their order stays. The first real sample, which is asked for by itself, stays alone.
    """
    numbers = sorted(number for number in batches if number != REAL)
    while len(numbers) > 1 and batches[numbers[-2]].count <= batches[numbers[-1]].count:
        last = batches.pop(numbers.pop())
        batches[numbers[-1]] = join([batches[numbers[-1]], last])


def _places(writer: NDArray[np.int64], lanes: int) -> NDArray[np.int64]:
    """For each point its number among all points that its writer writes, int64 as `writer`."""
    flat = writer.ravel()
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat + 1, minlength=lanes + 1)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    place = np.empty(len(flat), dtype=np.int64)
    place[order] = np.arange(len(flat)) - first[flat[order] + 1]
    return place.reshape(writer.shape)
