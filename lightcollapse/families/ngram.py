"""n-gram language models of characters, bytes or words."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from lightcollapse.corpus import Human, padding
from lightcollapse.curation import Curation
from lightcollapse.errors import CardError, LimitError, nearest, require
from lightcollapse.families.language_model import VOCABULARIES, LanguageModel, Model, Turn
from lightcollapse.schedule import Schedule
from lightcollapse.sources.base import TextSource

# As in kernels.smoothing, which a card must not import.
_SMOOTHINGS = ("backoff", "kneser-ney", "ml", "modified-kneser-ney", "witten-bell")
_MOST_GROUPS = 2**31 - 1  # n-grams are numbered in 32 bits


class NGram(LanguageModel, frozen=True):
    """A language model that predicts each symbol from the n - 1 before it in the document.

    Model t is fitted on the documents of training set t and writes documents of the source's `document_length`. Model
    0, the source, is the model fitted on all of the training part. The text metrics of generation t are those of text
    that model t wrote, as many symbols as training set 1 holds; those of generation 0 are training set 1's own.

    - perplexity: exp of the mean negative log-likelihood per symbol of the held-out text
    - rare_perplexity: the same over the symbols inside rare words
    - distinct_1 .. distinct_4: distinct n-grams within documents; support: distinct symbols
    - ngram_entropy: plug-in entropy of the 4-grams, nats
    - vocabulary: word types of the training part that occur; rare_vocabulary: the rare ones among them
    - kl_source_model: mean log-likelihood ratio of model 0 to model t per symbol of held-out text, nats; symbols that
      model 0 holds impossible are left out
    - kl_model_source: the same of model t to model 0 on text that model t wrote, as many symbols as are held out but at
      most as many as training set 1 holds
    - edge_case_failure: share of the symbols inside rare words of held-out text to which model t gives less than a
      tenth of what model 0 does
    - rare_retention: rare_vocabulary over the number of rare words
    - calibration: share of held-out symbols that lie in the smallest set that holds 90 % of the model's law, given what
      stands before them; sharpness: mean symbols of that set. The law is looked at in at most 2000 places spread evenly
      over the held-out text: ten for each time that a symbol of the training part occurs on average, at least 100.
    - unknown_mass: mean chance of the unknown symbol at those places; unknown_share: share of held-out symbols that the
      training part lacks, the same for every model

    Where the law that wrote the text is known (chains, hidden Markov models, grammars), it takes the place of model 0
    in divergences and edge cases, and the perplexities of generation 0 are its own.

    Symbols that the training part lacks share one unknown slot: the uniform law under the unigrams gives each of the V
    symbols and that slot 1 / (V + 1). Models never write it: what they write follows their law given known symbols.
    Where the vocabulary is closed there is no such slot: the law is one on the V symbols, those that the training part
    lacks are left out of all scores, and only as history do they still count, as something never seen.

    Args:
        order: n, the symbols of the longest n-gram, 1 to 16.
        unit: what a symbol is; None takes the source's, and another than the source's is refused.
        smoothing: "witten-bell", "kneser-ney" (one discount an order) or "modified-kneser-ney" (three), all
            interpolated with the shorter contexts; "backoff", absolute discounting that gives what it frees to what
            the context has not seen, and to nothing else; or "ml", which holds the unseen impossible.
        vocabulary: "open" or "closed", a matter of the model's law: the same text can be fitted either way.
    """

    kind: ClassVar[str] = "ngram"
    order: int = 5
    unit: str | None = None
    smoothing: str = "witten-bell"
    vocabulary: str = "open"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(1, smoothing="ml")

    def validate(self) -> None:
        require(1 <= self.order <= 16, "order must lie in 1..16", self.order)
        if self.smoothing not in _SMOOTHINGS:
            raise CardError(f"unknown smoothing {self.smoothing!r}; {nearest(self.smoothing, _SMOOTHINGS)}")
        if self.vocabulary not in VOCABULARIES:
            raise CardError(f"unknown vocabulary {self.vocabulary!r}; {nearest(self.vocabulary, VOCABULARIES)}")

    def shortest(self, source: TextSource) -> tuple[int, str]:
        return self.order, "the order"

    def memory(self, held: int, largest: int) -> int:
        """Measured: about 50 bytes a symbol of text held, and 22 a symbol of each order fitted."""
        return 50 * held + 22 * self.order * largest

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        super().check(source, schedule, curation)
        largest = int(max(schedule["size"].max(), schedule["sample"].max())) * self.order
        if largest > _MOST_GROUPS:
            raise LimitError(f"order x training set must be at most {_MOST_GROUPS} symbols, got {largest}")

    def model(self, human: Human, text: padding.Symbols, turn: Turn, previous: Model | None, length: int) -> Model:
        from lightcollapse.kernels.ngram import Model as Tables

        return Tables(text, self.order, human.alphabet, self.smoothing, closed=self.vocabulary == "closed")
