"""Noise on what models write."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from lightcollapse.curation.base import Curation, Stage, Write
from lightcollapse.errors import require
from lightcollapse.kernels.draws import Batch


class _Keyword(msgspec.StructMeta):
    """Takes `kind` for `form`: on a card, and on every part, `kind` is the part's own name."""

    def __call__(self, *args: Any, **fields: Any) -> Any:
        if "kind" in fields:
            fields["form"] = fields.pop("kind")
        return super().__call__(*args, **fields)


class Noise(Curation, frozen=True, metaclass=_Keyword):
    """What the model wrote is disturbed at random.

    Args:
        rate: for "uniform" and "source", the chance that a point (of text: a symbol) is replaced, in [0, 1]; for
            "jitter", the standard deviation of what is added to each number, in stds of the source, at least 0.
        form: "uniform" replaces by a symbol drawn uniformly; "source" by a draw from the law of real data (of text:
            from the frequencies of its symbols); "jitter" adds normal noise to every number. Also taken as `kind`.
    """

    kind: ClassVar[str] = "noise"
    rate: float
    form: Literal["uniform", "source", "jitter"] = "uniform"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(0.1), cls(0.1, "source"), cls(0.5, "jitter")

    def validate(self) -> None:
        require(math.isfinite(self.rate) and self.rate >= 0.0, "rate must be at least 0 and finite", self.rate)
        require(self.form == "jitter" or self.rate <= 1.0, "rate must lie in [0, 1]", self.rate)

    def asks(self) -> frozenset[str]:
        return frozenset({"uniform": ["symbols"], "source": ["substitutes"], "jitter": ["numbers"]}[self.form])

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        batch = write(count)
        craft, shape = stage.craft, batch.points.shape
        if self.form == "jitter":
            normals = stage.draws.normals(math.prod(shape[1:])).reshape(shape)
            return Batch(craft.jitter(batch.points, normals, self.rate), batch.weights)
        chance = stage.draws.uniforms(count * craft.symbols_per_point).reshape(shape[0], count, -1)
        if self.form == "uniform":
            others = craft.uniform(stage.more.uniforms(math.prod(shape[1:])).reshape(shape))
        else:
            others = craft.substitutes(count, stage.more)
        return Batch(np.where(chance < self.rate, others, batch.points), batch.weights)
