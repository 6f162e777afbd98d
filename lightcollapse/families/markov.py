"""First-order Markov chains of documents, fitted by their moves."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import Curation
from lightcollapse.errors import require
from lightcollapse.families.base import EDGE_SHARE, Family, refuse_source
from lightcollapse.families.categorical import sharpened, tail_symbols
from lightcollapse.families.estimator import DensityEstimator, Estimator, Float
from lightcollapse.kernels.draws import Draws
from lightcollapse.schedule import Schedule
from lightcollapse.sources.markov import Chain


class Markov(Family, frozen=True):
    """A first-order Markov chain, fitted to documents by the frequencies of first symbols and of moves.

    A point is a document of the source's `document_length` symbols. Sample sizes are in symbols, whole documents.

    After a symbol that nothing was observed to follow, the model keeps what the last model said, the source at first.

    - heterozygosity: chance that two moves from the same symbol differ, the mean over the source's moves
    - entropy_rate: entropy of a document of the model, a symbol
    - support: moves that a document of the model can still hold
    - total_variation: between what follows a symbol in the model and in the source, the mean over the source's moves
    - kl_model_source, kl_source_model: divergence of the laws of a document, exact, a symbol
    - edge_case_failure, rare_retention: of moves (and first symbols); edge cases are the source's rarest 5 %

    Args:
        smoothing: k, added to every count (0: maximum likelihood).
    """

    kind: ClassVar[str] = "markov"
    metrics: ClassVar[tuple[str, ...]] = (
        "heterozygosity",
        "entropy_rate",
        "support",
        "total_variation",
        "kl_model_source",
        "kl_source_model",
        "edge_case_failure",
        "rare_retention",
    )
    abilities: ClassVar[frozenset[str]] = frozenset(
        {
            "closeness",
            "log_density",
            "removal",
            "substitutes",
            "symbols",
            "temperature",
            "top_k",
            "top_p",
            "weights",
        }
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("entropy_rate", 0.0)
    smoothing: float = 0.0

    def validate(self) -> None:
        require(math.isfinite(self.smoothing) and self.smoothing >= 0, "smoothing must be at least 0", self.smoothing)

    def points(self, source: Any, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Documents of these numbers of symbols."""
        if not isinstance(source, Chain):
            raise refuse_source(self, source, "a Markov chain (markov, random-markov)")
        length = source.document_length
        require(length >= 2, "documents of a Markov chain need a document_length of at least 2", length)
        for size in sizes[sizes % length != 0]:
            below, above = int(size) // length * length, -(-int(size) // length) * length
            nearest = " or ".join(str(whole) for whole in (below, above) if whole)
            require(False, f"sample_size must be whole documents of {length} symbols", int(size), f"give {nearest}")
        return np.asarray(sizes // length)

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        super().check(source, schedule, curation)
        require(
            self.smoothing == 0.0 or bool(np.all(np.isnan(schedule["weight"]))),
            "a weighted fit needs smoothing 0",
            self.smoothing,
        )

    def estimator(self, source: Any) -> Estimator:
        return MarkovEstimator(source, self.smoothing)


class MarkovModel(NamedTuple):
    """Law of the first symbol (row 0) and of what follows symbol s (row s + 1): float64 (lanes, V + 1, V)."""

    laws: Float


@dataclass(frozen=True)
class MarkovEstimator(DensityEstimator):
    """Documents as points."""

    source: Chain
    smoothing: float = 0.0

    @property
    def dimension(self) -> int:  # type: ignore[override]
        return self.source.document_length

    @property
    def symbols_per_point(self) -> int:  # type: ignore[override]
        return self.source.document_length

    @functools.cached_property
    def laws(self) -> Float:
        """The source as a model has it, float64 (V + 1, V)."""
        return laws_of(self.source)

    @functools.cached_property
    def moves(self) -> Float:
        """How often a document of the source is expected to begin, and to move on from each symbol: (V + 1,)."""
        return np.asarray(self._moves(self.laws[None])[0])

    def _moves(self, laws: Float) -> Float:
        from lightcollapse.kernels.markov import expected_moves

        out = np.empty(laws.shape[:2])
        expected_moves(laws, self.dimension, out)
        return out

    @functools.cached_property
    def rare(self) -> NDArray[np.bool_]:
        """The source's rarest moves, which together make up at most 5 % of all: bool (V + 1, V)."""
        mass = (self.moves[:, None] * self.laws).ravel()
        order, held = tail_symbols(mass / mass.sum(), EDGE_SHARE)
        out = np.zeros(len(mass), dtype=np.bool_)
        out[order[:held]] = True
        return (out & (mass > 0.0)).reshape(self.laws.shape)

    def real(self, count: int, draws: Draws, bias: float = 0.0) -> Float:
        laws = laws_of(self.source.tilted(bias)) if bias else self.laws
        return self._walk(np.tile(laws, (draws.lanes, 1, 1)), count, draws)

    def write(self, model: MarkovModel, count: int, draws: Draws) -> Float:
        return self._walk(model.laws, count, draws)

    def _walk(self, laws: Float, count: int, draws: Draws) -> Float:
        from lightcollapse.kernels.markov import walk

        out = draws.uniforms(count * self.dimension).reshape(draws.lanes, count, self.dimension)
        walk(np.ascontiguousarray(laws), out)
        return out

    def substitutes(self, count: int, draws: Draws) -> Float:
        """Symbols by themselves, by how frequent each is in real documents."""
        frequencies = self.laws[0] + self.moves[1:] @ self.laws[1:]
        return self._walk(np.tile(frequencies / frequencies.sum(), (draws.lanes, len(self.laws), 1)), count, draws)

    def fit(self, points: Float, weights: Float, previous: MarkovModel | None, draws: Draws) -> MarkovModel:
        from lightcollapse.kernels.markov import count_moves

        counts = np.zeros((len(points), *self.laws.shape))
        count_moves(np.ascontiguousarray(points), np.ascontiguousarray(weights), counts)
        mass = counts + self.smoothing
        total = mass.sum(axis=2, keepdims=True)
        kept = self.laws[None] if previous is None else previous.laws
        return MarkovModel(np.where(total > 0.0, mass / np.where(total > 0.0, total, 1.0), kept))

    def measure(self, model: MarkovModel, draws: Draws) -> dict[str, Float]:
        from lightcollapse.kernels.markov import measure

        laws = np.ascontiguousarray(model.laws)
        out = np.empty((len(Markov.metrics), len(laws)))
        measure(laws, self._moves(laws), self.laws, self.moves, self.rare, self.dimension, out)
        return dict(zip(Markov.metrics, out, strict=True))

    def measure_source(self, draws: Draws) -> dict[str, Float]:
        return self.measure(self._source_model(draws.lanes), draws)

    def _source_model(self, lanes: int) -> MarkovModel:
        return MarkovModel(np.tile(self.laws, (lanes, 1, 1)))

    def pairs(self, model: MarkovModel) -> tuple[Float, Float]:
        """Two moves from the same symbol, which the source chooses."""
        shares = self.moves[1:] / self.moves[1:].sum()
        rows = model.laws[:, 1:]
        place = np.sqrt(shares)[:, None] * rows
        return (shares * (1.0 - (rows**2).sum(axis=2))).sum(axis=1), place.reshape(len(rows), -1)

    def source_pairs(self) -> float:
        return float(self.pairs(self._source_model(1))[0][0])

    def decode(
        self, model: MarkovModel | None, lanes: int, temperature: float, top_k: int, top_p: float
    ) -> MarkovModel:
        """Every row for itself."""
        laws = (self._source_model(lanes) if model is None else model).laws
        rows = sharpened(laws.reshape(-1, laws.shape[2]), temperature, top_k, top_p)
        return MarkovModel(rows.reshape(laws.shape))

    def log_density(self, model: MarkovModel, points: Float) -> Float:
        return self._scores(model.laws, points)

    def source_log_density(self, points: Float) -> Float:
        return self._scores(self.laws[None], points)

    def _scores(self, laws: Float, points: Float) -> Float:
        from lightcollapse.kernels.markov import score

        out = np.empty(points.shape[:2])
        with np.errstate(divide="ignore"):
            score(np.log(np.ascontiguousarray(laws)), np.ascontiguousarray(points), out)
        return out

    def uniform(self, uniforms: Float) -> Float:
        symbols = self.laws.shape[1]
        return np.asarray(np.minimum(np.floor(uniforms * symbols), symbols - 1.0))


def laws_of(source: Chain) -> Float:
    """The initial law above the transitions, float64 (V + 1, V), C-contiguous."""
    return np.ascontiguousarray(np.vstack([source.start(), source.matrix()]))
