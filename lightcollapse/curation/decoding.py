"""Sharper or narrower sampling."""

from __future__ import annotations

import math
from typing import ClassVar, Self

from lightcollapse.curation.base import Curation, Stage, Write
from lightcollapse.errors import require
from lightcollapse.kernels.draws import SYNTHETIC, Batch


class Decoding(Curation, frozen=True):
    """The model writes from its law to the power 1 / temperature, then cut to its likeliest part.

    A normal law at temperature T has T times the variance, which Alemohammad et al. 2023 (arXiv:2307.01850) call the
    sampling bias lambda. For text it works on each symbol given those before it. It must stand first in the list.

    Args:
        temperature: above 0; below 1 sharpens, above 1 flattens.
        top_k: keep the k likeliest symbols; 0 keeps all.
        top_p: keep the smallest set of the likeliest that holds this share of the mass, in (0, 1].
    """

    kind: ClassVar[str] = "decoding"
    first: ClassVar[bool] = True
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(0.8), cls(top_k=3), cls(top_p=0.9))

    def validate(self) -> None:
        require(math.isfinite(self.temperature) and self.temperature > 0, "temperature must exceed 0", self.temperature)
        require(self.top_k >= 0, "top_k must be at least 0", self.top_k)
        require(0.0 < self.top_p <= 1.0, "top_p must lie in (0, 1]", self.top_p)

    def asks(self) -> frozenset[str]:
        used = {"temperature": self.temperature != 1.0, "top_k": self.top_k > 0, "top_p": self.top_p < 1.0}
        return frozenset(name for name, asked in used.items() if asked)

    def curate(self, stage: Stage, write: Write, count: int) -> Batch:
        if not self.asks():
            return write(count)
        lanes = stage.draws.lanes
        law = stage.craft.decode(stage.model, lanes, self.temperature, self.top_k, self.top_p)
        stage.count("samples_drawn", count)
        return Batch.whole(stage.craft.write(law, count, stage.draws.stream(SYNTHETIC)))
