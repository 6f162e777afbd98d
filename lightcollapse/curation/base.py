"""What every curation answers: what it needs of a family, and what it does to points between writing and training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import CardError
from lightcollapse.kernels.draws import STEPS, Batch, Draws
from lightcollapse.part import Part

Float = NDArray[np.float64]
Write = Callable[[int], Batch]  # so many points a lane, from what stands before in the list of curations


class Craft(Protocol):
    """What a family's estimator offers to a curation; each method only where its ability is offered."""

    symbols_per_point: int

    def substitutes(self, count: int, draws: Draws) -> Float:
        """Real data to put in the place of points, float64 (lanes, count, dimension)."""
        ...

    def write(self, model: Any, count: int, draws: Draws) -> Float:
        """Points of each lane's model."""
        ...

    def decode(self, model: Any, lanes: int, temperature: float, top_k: int, top_p: float) -> Any:
        """The model (None: the source) with its law sharpened and cut. Ability "temperature", "top_k", "top_p"."""
        ...

    def log_density(self, model: Any, points: Float) -> Float:
        """Of each point under its lane's model, float64 (lanes, points). Ability "log_density"."""
        ...

    def source_log_density(self, points: Float) -> Float:
        """The same under the source. Ability "log_density"."""
        ...

    def jitter(self, points: Float, normals: Float, rate: float) -> Float:
        """Points moved by `rate` standard deviations of the source times the normals. Ability "numbers"."""
        ...

    def uniform(self, uniforms: Float) -> Float:
        """Symbols uniform over all there are, from uniforms of any shape. Ability "symbols"."""
        ...

    def right(self, points: Float, answers: tuple[float, ...]) -> NDArray[np.bool_]:
        """Whether each point is a right answer, bool (lanes, points). Ability "answers"."""
        ...

    def closeness(self, points: Float, earlier: tuple[Batch, ...], model: Any, first: Any) -> tuple[Float, int]:
        """How much closer each point lies to what models wrote than to real data, in nats or shares, float64
        (lanes, points), and the model evaluations that it cost a lane. Ability "closeness".
        """
        ...


@dataclass
class Stage:
    """What one curation step may ask for while one generation writes.

    Attributes:
        craft: the family's estimator.
        model: the model that writes; None where the source itself does, at generation 0.
        first: the model fitted to the first real sample; None at generation 0.
        earlier: what was written before, the last batch first: what a discriminator may compare with.
        draws: random numbers of this step alone; `more` gives others.
        measured: what this generation's curation measured, name -> float64 (lanes,).
    """

    craft: Craft
    model: Any
    first: Any
    earlier: tuple[Batch, ...]
    draws: Draws
    measured: dict[str, Float] = field(default_factory=dict)

    @property
    def more(self) -> Draws:
        """Random numbers of this step that are independent of `draws`."""
        return self.draws.stream(self.draws.purpose + STEPS)

    def count(self, name: str, amount: int) -> None:
        """Add to a cost: `samples_drawn` or `evaluations`, a lane."""
        self.measured[name] = self.measured.get(name, np.zeros(self.draws.lanes)) + float(amount)

    def log_density(self, points: Float) -> Float:
        """Of points under the model that writes; counted as evaluations."""
        self.count("evaluations", points.shape[1])
        if self.model is None:
            return self.craft.source_log_density(points)
        return self.craft.log_density(self.model, points)


class Curation(Part, frozen=True):
    """One step between sampling and training: one part of a card. Steps work in the order of the list.

    Attributes:
        needs: abilities that the family must offer.
        metrics: what it measures at each generation, of what that generation's model wrote.
        first: whether it must stand before every other step.
    """

    first: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()
    metrics: ClassVar[tuple[str, ...]] = ()

    def asks(self) -> frozenset[str]:
        """Abilities that this step, with these fields, needs of a family."""
        return self.needs

    def written(self) -> float:
        """Points that must be written for each that is kept."""
        return 1.0

    def tables(self) -> tuple[tuple[float, ...], ...]:
        """Fields that hold one number a symbol."""
        return ()

    def answers(self) -> tuple[float, ...] | None:
        """The right answers, where the step tests any."""
        return None

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        """`count` points a lane, made from what `write` gives."""
        raise NotImplementedError

    def real(self, stage: Stage, batch: Batch) -> Batch:
        """What the step does to real points on their way into a training set, from training set 2 on."""
        return batch


COSTS = ("samples_drawn", "evaluations")  # measured wherever a card has any curation


def metrics_of(steps: tuple[Curation, ...]) -> tuple[str, ...]:
    """Metrics that a list of curations adds to a record, in order."""
    names = [name for step in steps for name in step.metrics]
    return (*dict.fromkeys(names), *COSTS) if steps else ()


def refuse_curation(family: str, abilities: frozenset[str], steps: tuple[Curation, ...]) -> None:
    """Raise CardError where a step needs what the family does not offer."""
    for step in steps:
        missing = sorted(step.asks() - abilities)
        if missing:
            raise CardError(
                f"curation {step.kind} needs {_WORDS[missing[0]]}, which family {family} does not offer; "
                f"`lightcollapse matrix {family}` shows what fits"
            )


_WORDS = {
    "answers": "right and wrong answers",
    "closeness": "a distance from earlier generations",
    "decode": "a law that temperature and truncation can change",
    "log_density": "a density",
    "numbers": "real numbers",
    "points": "points that are kept",
    "removal": "points that can be removed",
    "symbols": "symbols",
    "substitutes": "real data to put in the place of points",
    "table": "single symbols to give a score each",
    "temperature": "a law that temperature can change",
    "top_k": "symbols to keep the k likeliest of",
    "top_p": "a law that can be cut to its likeliest part",
    "value": "one number a point",
    "weights": "a fit of weighted points",
}
