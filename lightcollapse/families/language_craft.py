"""What language models offer to curations: documents as points, one replicate a block."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import Human, padding
from lightcollapse.kernels.draws import Batch, Draws

if TYPE_CHECKING:
    from lightcollapse.families.language_model import Model

Float = NDArray[np.float64]

_LONGEST = 8  # symbols of an n-gram by which documents overlap with earlier ones
_KEY_BITS = 62


class Decoded(NamedTuple):
    """A model and how it is to write."""

    model: Model
    temperature: float
    top_k: int
    top_p: float


class LanguageCraft:
    """Documents of symbols as points: (1, documents, document length), 0 where a document is shorter."""

    def __init__(self, human: Human, human_model: Model, document_length: int) -> None:
        self.human = human
        self.human_model = human_model
        self.symbols_per_point = document_length

    def write(self, model: Model | Decoded, count: int, draws: Draws) -> Any:
        """Documents that the model writes."""
        law = model if isinstance(model, Decoded) else Decoded(model, 1.0, 0, 1.0)
        length = self.symbols_per_point
        options = {} if law[1:] == (1.0, 0, 1.0) else law._asdict()
        options.pop("model", None)
        text = law.model.write(
            count * length, length, draws.generation, int(draws.replicates[0]), draws.seed, **options
        )
        return text[:-1].reshape(1, count, length + 1)[:, :, 1:]

    def decode(self, model: Model, lanes: int, temperature: float, top_k: int, top_p: float) -> Decoded:
        """The model, to be written from so."""
        return Decoded(model, temperature, top_k, top_p)

    def points(self, text: padding.Symbols) -> Batch:
        """Padded documents as points."""
        begin, length = padding.runs(text)
        place = np.arange(self.symbols_per_point)
        inside = place < length[:, None]
        index = np.where(inside, begin[:, None] + place, 0)
        return Batch.whole(np.where(inside, text[index], 0)[None].astype(np.int32))

    def text(self, batch: Batch) -> padding.Symbols:
        """The documents that were not removed, padded."""
        documents = batch.points[0][batch.weights[0] > 0.0]
        rows = np.concatenate([np.zeros((len(documents), 1), dtype=np.int32), documents.astype(np.int32)], axis=1)
        kept = rows != 0
        kept[:, 0] = True
        return np.concatenate([rows[kept], padding.EMPTY])

    def log_density(self, model: Model, points: Float) -> Float:
        """Log-likelihood of each document, nats."""
        text = self.text(Batch.whole(points))
        sums: Float = model.document_scores(text) * padding.runs(text)[1]
        return sums[None]

    def source_log_density(self, points: Float) -> Float:
        """Under the model of all human text."""
        return self.log_density(self.human_model, points)

    def uniform(self, uniforms: Float) -> Any:
        """Symbols uniform over the alphabet."""
        return (np.minimum(np.floor(uniforms * self.human.alphabet), self.human.alphabet - 1) + 1).astype(np.int32)

    def substitutes(self, count: int, draws: Draws) -> Any:
        """Symbols by their frequencies in human text, each by itself."""
        cumulative = np.cumsum(self.human.counts)
        wanted = draws.uniforms(count * self.symbols_per_point) * cumulative[-1]
        symbols = np.searchsorted(cumulative, wanted, side="right") + 1
        return symbols.astype(np.int32).reshape(1, count, self.symbols_per_point)

    def closeness(self, points: Float, earlier: tuple[Batch, ...], model: Model, first: Model) -> tuple[Float, int]:
        """Share of each document's n-grams that the generation before wrote as well; 8 symbols or as many as fit."""
        documents = points[0].astype(np.int64)
        if not earlier:
            return np.zeros((1, len(documents))), len(documents)
        past = np.unique(self._keys(earlier[0].points[0].astype(np.int64)))
        keys = self._keys(documents)
        seen = np.isin(keys, past) & (keys >= 0)
        return (seen.sum(axis=1) / np.maximum((keys >= 0).sum(axis=1), 1))[None], len(documents)

    def _keys(self, documents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each n-gram as one whole number, int64 (documents, places); -1 where a document has ended."""
        base = self.human.alphabet + 1
        size = max(1, min(_LONGEST, documents.shape[1], int(_KEY_BITS / math.log2(base))))
        places = documents.shape[1] - size + 1
        keys = np.zeros((len(documents), places), dtype=np.int64)
        for step in range(size):
            keys = keys * base + documents[:, step : step + places]
        return np.where(documents[:, size - 1 :] == 0, -1, keys)
