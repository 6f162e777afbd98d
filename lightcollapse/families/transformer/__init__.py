"""The small transformer. Its card needs no torch; running it does, and only this room imports it."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from lightcollapse.corpus import Human, padding
from lightcollapse.curation import Curation
from lightcollapse.errors import MissingExtra, require
from lightcollapse.families.base import Simulation
from lightcollapse.families.language_model import LanguageModel, Model, Turn
from lightcollapse.schedule import Schedule
from lightcollapse.sources.base import TextSource

_SHORTEST = 8  # symbols of a document, below which there is nothing to attend to
_NEEDED = ("torch", "safetensors")


class Transformer(LanguageModel, frozen=True):
    """A decoder-only transformer that predicts each symbol from all before it in the document.

    Blocks of attention (rotary positions, no look ahead) and of a two-layer perceptron (GELU), each after a layer norm;
    the symbols' vectors are at once the first and the last layer. The context is a document of the source. Symbols that
    the training part lacks have no place in the law, as in the n-gram family with a closed vocabulary; the metrics are
    that family's. Model 1 is model 0 where both learn from all of the training part.

    Each generation is trained by AdamW on `tokens` symbols: whole documents in random order, again and again, the
    gradient's norm cut to 1, the learning rate warmed up over the first tenth and then let down by a cosine to a tenth.
    On a CPU the numbers are float32, one thread a replicate, and repeat bit for bit; on a GPU matrix products are
    bfloat16, and numbers repeat to rounding.

    Args:
        width: numbers that stand for a symbol.
        depth: blocks.
        heads: of attention; `width` is a multiple of twice as many.
        tokens: symbols that a generation is trained on.
        batch: documents a step.
        learning_rate: the highest.
        start: "scratch", or "previous": from the weights of the generation before.
        stop: "tokens", or "held-out": a tenth of the training set is set aside, and training stops where its loss has
            not fallen for a fifth of all steps; the weights with the least loss are kept.
        device: "auto" takes a GPU where torch reports one; "cpu" never asks for one; "cuda".
        compile: whether torch.compile makes the training step; it pays on large models only.
    """

    kind: ClassVar[str] = "transformer"
    own_kernels: ClassVar[bool] = False
    width: int = 64
    depth: int = 2
    heads: int = 2
    tokens: int = 400_000
    batch: int = 32
    learning_rate: float = 3e-3
    start: Literal["scratch", "previous"] = "scratch"
    stop: Literal["tokens", "held-out"] = "tokens"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compile: bool = False

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        """Microscopic."""
        return (cls(8, 1, 1, tokens=160, device="cpu"),)

    @classmethod
    def missing(cls) -> str:
        if all(importlib.util.find_spec(name) for name in _NEEDED):
            return ""
        return f'family {cls.kind} needs torch and safetensors: pip install "lightcollapse[torch]"'

    @classmethod
    def provenance(cls) -> dict[str, str]:
        from importlib.metadata import version  # which reads e-mail: a twentieth of what a prediction takes

        return {"torch": version("torch")}

    @property
    def unit(self) -> str | None:
        return None

    @property
    def vocabulary(self) -> str:
        return "closed"

    def validate(self) -> None:
        for name in ("width", "depth", "heads", "tokens", "batch"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1", getattr(self, name))
        even = self.width % (2 * self.heads) == 0
        require(even, f"width must be a multiple of twice the {self.heads} heads", self.width)
        positive = math.isfinite(self.learning_rate) and self.learning_rate > 0.0
        require(positive, "learning_rate must be positive", self.learning_rate)

    def shortest(self, source: TextSource) -> tuple[int, str]:
        return source.document_length, "a context (the source's document_length)"

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        super().check(source, schedule, curation)
        rule = f"document_length, the context of family {self.kind}, must be at least {_SHORTEST} symbols"
        require(source.document_length >= _SHORTEST, rule, source.document_length)

    def weights(self, symbols: int) -> int:
        """Numbers that a model of so many symbols learns."""
        return 12 * self.depth * self.width**2 + (symbols + 2 + 2 * self.depth + 1) * self.width

    def memory(self, held: int, largest: int) -> int:
        """About: text, twelve copies of the weights (gradient, two moments, the first and last model), one batch."""
        activations = 40 * self.batch * self.width * self.depth * 256
        return 50 * held + 48 * self.weights(256) + 4 * activations

    def prepare(self, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()) -> Simulation:
        return self.prepare_in(None, source, schedule, seed, curation)

    def prepare_in(
        self, folder: Path | None, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()
    ) -> Simulation:
        self._require_torch()
        from lightcollapse.families.transformer.simulation import TransformerSimulation

        return TransformerSimulation(self, source, schedule, seed, curation, folder=folder)

    def model(self, human: Human, text: padding.Symbols, turn: Turn, previous: Model | None, length: int) -> Model:
        self._require_torch()
        from lightcollapse.families.transformer.fitted import Fitted
        from lightcollapse.families.transformer.training import train

        start = previous.network if self.start == "previous" and isinstance(previous, Fitted) else None
        return Fitted(train(self, human.alphabet, text, length, turn, start))

    def _require_torch(self) -> None:
        """Raise MissingExtra where what runs the family is not installed."""
        if self.missing():
            raise MissingExtra(self.missing())
