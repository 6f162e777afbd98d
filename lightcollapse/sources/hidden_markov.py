"""Hidden Markov models whose law is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus.human import Law
from lightcollapse.corpus.padding import Symbols
from lightcollapse.errors import require
from lightcollapse.sources.documents import (
    Documents,
    Float,
    check_rows,
    check_start,
    letters,
    normalised,
    pick,
    stationary,
    walk,
)


class HiddenMarkov(Documents, frozen=True):
    """Documents that a hidden Markov model writes: a chain of hidden states, each of which writes one symbol.

    Args:
        transitions: a row for each state, the law of the next state; (S, S), rows summing to 1.
        emissions: a row for each state, the law of the symbol it writes; (S, V), rows summing to 1.
        initial: law of the first state of a document, (S,); None: the chain's stationary law.
        document_length: symbols of a document. documents, seed, held_out and rare_share are those of the corpus that
            n-gram models learn from: how many, what decides it, which share judges, which share is rare.
    """

    kind: ClassVar[str] = "hidden-markov"
    transitions: tuple[tuple[float, ...], ...]
    emissions: tuple[tuple[float, ...], ...]
    initial: tuple[float, ...] | None = None

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return (cls(((0.9, 0.1), (0.2, 0.8)), ((0.5, 0.4, 0.1), (0.1, 0.1, 0.8)), rare_share=0.4),)

    def validate(self) -> None:
        super().validate()
        states = len(self.transitions)
        require(states >= 1, "transitions must hold at least one row", list(self.transitions))
        check_rows(self.transitions, "transitions", states)
        check_start(self.transitions, self.initial)
        require(len(self.emissions) == states, f"emissions must hold a row for each of {states} states",
                len(self.emissions))  # fmt: skip
        check_rows(self.emissions, "emissions", len(self.emissions[0]))

    def matrix(self) -> Float:
        """Transitions between states, float64 (states, states)."""
        return normalised(self.transitions)

    def start(self) -> Float:
        """Law of the first state, float64 (states,)."""
        return stationary(self.matrix()) if self.initial is None else normalised(self.initial)

    def names(self) -> tuple[str, ...]:
        return letters(len(self.emissions[0]))

    def written(self) -> NDArray[np.int64]:
        shape = (self.documents, self.document_length)
        both = self.uniforms(0, 2 * math.prod(shape)).reshape(2, *shape)
        states = walk(self.start(), self.matrix(), both[0])
        return pick(normalised(self.emissions), states.ravel(), both[1].ravel()).reshape(shape)

    def law(self, groups: NDArray[np.int64]) -> Law:
        return HiddenMarkovLaw(self.start(), self.matrix(), gathered(normalised(self.emissions), groups))


@dataclass(frozen=True)
class HiddenMarkovLaw:
    """The law of documents of a hidden Markov model.

    Attributes:
        start: float64 (states,). transitions: float64 (states, states).
        emissions: float64 (states, groups + 1), column 0 empty: symbols are numbered from 1.
    """

    start: Float
    transitions: Float
    emissions: Float

    def log_probabilities(self, text: Symbols) -> Float:
        """Log-probability of each symbol given those before it in its document, by the forward algorithm; nats.

        What stands after an impossible symbol is scored as a new document. Source: Baum and Petrie 1966.
        """
        from lightcollapse.kernels.markov import forward

        out = np.empty(int(np.count_nonzero(text)))
        forward(text, self.start, self.transitions, self.emissions, out)
        with np.errstate(divide="ignore"):
            return np.log(out)


def gathered(emissions: Float, groups: NDArray[np.int64]) -> Float:
    """Columns summed by group, numbered from 1: float64 (states, groups + 2), C-contiguous; the last may be empty."""
    out = np.zeros((len(emissions), int(groups.max()) + 2))
    for symbol, group in enumerate(groups):
        out[:, group] += emissions[:, symbol]
    return out
