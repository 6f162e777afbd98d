"""What every law of real data answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import Corpus, Human
from lightcollapse.errors import CardError
from lightcollapse.part import Part


class Source(Part, frozen=True):
    """A law of real data: one part of a card."""

    def resolve_sample_size(self, seed: int) -> int | None:
        """The sample size of a card that names none, or None where the source has no natural one."""
        return None

    def provenance(self) -> dict[str, str]:
        """What a record keeps about data read from outside, such as the SHA-256 of a file."""
        return {}

    def tilted(self, bias: float) -> Source:
        """The law that biased real data follows; 0 leaves it as it is. Raises CardError where it has no such law."""
        raise CardError(f"fresh data cannot be tilted away from a {self.kind} source; set the regime's bias to 0")


class TextSource(Source, frozen=True):
    """Text, parted by the seed into documents to learn from and documents held out."""

    @property
    def unit(self) -> str:
        """What a symbol is, a name in UNITS."""
        raise NotImplementedError

    @property
    def document_length(self) -> int:
        """Symbols in a point."""
        raise NotImplementedError

    def corpus(self) -> Corpus:
        """All of the text."""
        raise NotImplementedError

    def human(self, seed: int) -> Human:
        """The text as this seed parts it; the same for every replicate and regime."""
        raise NotImplementedError

    def provenance(self) -> dict[str, str]:
        text = self.corpus()
        return {"corpus": text.name, "corpus_sha256": text.sha256}

    def resolve_sample_size(self, seed: int) -> int:
        """Symbols of the training part."""
        return self.human(seed).size


class SymbolSource(Source, frozen=True):
    """A law over a finite set of symbols."""

    def tilted(self, bias: float) -> SymbolSource:
        """The law proportional to p^(1 + bias): above 0 frequent symbols gain, at -1 all are alike."""
        from lightcollapse.sources.symbols import Probabilities

        law = self.probabilities()
        present = law > 0.0
        logs = (1.0 + bias) * np.log(law[present])
        mass = np.zeros(len(law))
        mass[present] = np.exp(logs - logs.max())
        return Probabilities(tuple((mass / mass.sum()).tolist()))

    def probabilities(self) -> NDArray[np.float64]:
        """Probability of each symbol, float64 (symbols,), summing to 1."""
        raise NotImplementedError
