"""Markov chains whose law is known."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus.human import Law
from lightcollapse.errors import require
from lightcollapse.sources.documents import (
    Documents,
    Float,
    check_rows,
    check_start,
    letters,
    normalised,
    stationary,
    walk,
)


class Chain(Documents, frozen=True):
    """Documents that a Markov chain writes: each symbol depends on the one before it alone."""

    def matrix(self) -> Float:
        """Probability of each symbol (column) after each symbol (row), float64 (symbols, symbols)."""
        raise NotImplementedError

    def start(self) -> Float:
        """Probability of each symbol at the beginning of a document, float64 (symbols,)."""
        return stationary(self.matrix())

    def tilted(self, bias: float) -> Markov:
        """Each row proportional to p^(1 + bias), as the initial law where one is given; else it is stationary again."""
        rows = tuple(map(tuple, tempered(self.matrix(), bias).tolist()))
        fields = {name: getattr(self, name) for name in Documents.__struct_fields__}
        return Markov(rows, self.tilted_start(bias), **fields)

    def tilted_start(self, bias: float) -> tuple[float, ...] | None:
        return None

    def names(self) -> tuple[str, ...]:
        return letters(len(self.matrix()))

    def written(self) -> NDArray[np.int64]:
        shape = (self.documents, self.document_length)
        return walk(self.start(), self.matrix(), self.uniforms(0, math.prod(shape)).reshape(shape))

    def law(self, groups: NDArray[np.int64]) -> Law:
        from lightcollapse.sources.hidden_markov import HiddenMarkovLaw, gathered

        return HiddenMarkovLaw(self.start(), self.matrix(), gathered(np.eye(len(groups)), groups))


class Markov(Chain, frozen=True):
    """A first-order chain with the given probabilities.

    Args:
        transitions: a row for each symbol, the law of the symbol after it; (V, V), rows summing to 1.
        initial: law of the first symbol of a document, (V,); None: the chain's stationary law.
        document_length: symbols of a document. documents, seed, held_out and rare_share are those of the corpus that
            n-gram models learn from: how many, what decides it, which share judges, which share is rare.
    """

    kind: ClassVar[str] = "markov"
    transitions: tuple[tuple[float, ...], ...]
    initial: tuple[float, ...] | None = None

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        rows = ((0.6, 0.3, 0.1), (0.2, 0.5, 0.3), (0.3, 0.3, 0.4))
        return cls(rows, document_length=4), cls(rows, document_length=2)

    def validate(self) -> None:
        super().validate()
        require(len(self.transitions) >= 1, "transitions must hold at least one row", list(self.transitions))
        check_rows(self.transitions, "transitions", len(self.transitions))
        check_start(self.transitions, self.initial)

    def matrix(self) -> Float:
        return normalised(self.transitions)

    def start(self) -> Float:
        return super().start() if self.initial is None else normalised(self.initial)

    def tilted_start(self, bias: float) -> tuple[float, ...] | None:
        return None if self.initial is None else tuple(tempered(self.start()[None, :], bias)[0].tolist())


class RandomMarkov(Chain, frozen=True):
    """A chain whose rows are drawn from a Dirichlet law by the source's seed; documents start from the stationary law.

    Args:
        symbols: V.
        concentration: of the Dirichlet law, the same for every symbol: 1 is uniform over laws, less gives rows that a
            few symbols share.
        stay: chance that a symbol is repeated whatever the row says, in [0, 1).
        document_length: symbols of a document. documents, seed, held_out and rare_share are those of the corpus that
            n-gram models learn from: how many, what decides it, which share judges, which share is rare.
    """

    kind: ClassVar[str] = "random-markov"
    symbols: int
    concentration: float = 1.0
    stay: float = 0.0

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(5, document_length=4),)

    def validate(self) -> None:
        super().validate()
        require(1 <= self.symbols <= 2**12, "symbols must lie in 1..4096", self.symbols)
        finite = math.isfinite(self.concentration) and self.concentration > 0.0
        require(finite, "concentration must be positive", self.concentration)
        require(0.0 <= self.stay < 1.0, "stay must lie in [0, 1)", self.stay)

    def matrix(self) -> Float:
        """Gamma variates by inversion, in logarithms: G(a) = G(a + 1) U^(1/a) does not underflow for a small a."""
        from lightcollapse.special import gammaincinv

        shape = (2, self.symbols, self.symbols)
        first = self.documents * self.document_length  # those before are the corpus's
        u = self.uniforms(first, math.prod(shape)).reshape(shape)
        logs = np.log(gammaincinv(self.concentration + 1.0, u[0])) + np.log(u[1]) / self.concentration
        rows = normalised(np.exp(logs - logs.max(axis=1, keepdims=True)))
        return np.asarray(self.stay * np.eye(self.symbols) + (1.0 - self.stay) * rows)


def tempered(laws: Float, bias: float) -> Float:
    """Each row to the power 1 + bias; what has no probability keeps none."""
    present = laws > 0.0
    logs = np.where(present, (1.0 + bias) * np.log(np.where(present, laws, 1.0)), -np.inf)
    return normalised(np.exp(logs - logs.max(axis=1, keepdims=True)))
