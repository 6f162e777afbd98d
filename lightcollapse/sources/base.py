"""What every law of real data answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightcollapse.part import Part


class Source(Part, frozen=True):
    """A law of real data: one part of a card."""

    def resolve_sample_size(self, seed: int) -> int | None:
        """The sample size of a card that names none, or None where the source has no natural one."""
        return None

    def provenance(self) -> dict[str, str]:
        """What a record keeps about data read from outside, such as the SHA-256 of a file."""
        return {}


class SymbolSource(Source, frozen=True):
    """A law over a finite set of symbols."""

    def probabilities(self) -> NDArray[np.float64]:
        """Probability of each symbol, float64 (symbols,), summing to 1."""
        raise NotImplementedError
