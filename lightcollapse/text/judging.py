"""Perplexity: what a model of each generation makes of human text, and a model of human text of each generation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import permutation
from lightcollapse.corpus.padding import head
from lightcollapse.text.texts import Texts

Float = NDArray[np.float64]

MOST_LEARNED = 2**22  # symbols that a model is fitted on, and symbols that it judges: bounds memory and time
_SHUFFLE = 8  # the generator's stream for the order in which documents are learned from
_SMOOTHING = "modified-kneser-ney"


@dataclass(frozen=True)
class Judgement:
    """Perplexities, float64 (lanes,) for each generation, the baseline first. Lane 0 is everything.

    Attributes:
        perplexity: of a model of the generation, on the second half of the baseline.
        rare: the same, on the symbols there that end a rare n-gram; NaN where there is none.
        reverse: of a model of the first half of the baseline, on the generation (row 0: on the second half).
        learned: symbols that each model was fitted on.
    """

    perplexity: list[Float]
    rare: list[Float]
    reverse: list[Float]
    learned: int


def judge(texts: Texts, order: int, include: NDArray[np.uint8], rare: NDArray[np.bool_], seed: int) -> Judgement:
    """Fit an interpolated modified Kneser-Ney model of n-grams to as much of each generation, and let it judge.

    Models are those of the first half of the baseline and of each generation, all on equally many symbols in random
    documents. Lanes resample the documents that are judged; the models stay.
    """
    from lightcollapse.kernels.ngram import Model

    first = np.flatnonzero((texts.generation == 0) & (texts.apart == 0))
    groups = [first] + [np.flatnonzero(texts.generation == g) for g in range(1, len(texts.generations))]
    learned = min(MOST_LEARNED, *(int(texts.lengths[group].sum()) for group in groups))
    held_out = _some(texts, np.flatnonzero((texts.generation == 0) & (texts.apart == 1)), MOST_LEARNED, seed)
    judged = texts.padded(held_out)
    marked = _places(texts, held_out, rare)
    perplexity, rare_perplexity, reverse = [], [], []
    for g, group in enumerate(groups):
        text = head(texts.padded(_some(texts, group, learned, seed)), learned)
        model = Model(text, order, texts.alphabet, _SMOOTHING)
        scores = model.log_probabilities(judged)
        perplexity.append(_perplexity(texts, held_out, scores, np.ones(len(scores)), include))
        rare_perplexity.append(_perplexity(texts, held_out, scores, marked.astype(np.float64), include))
        if g == 0:
            human = model
            reverse.append(perplexity[0])
        else:
            read = _some(texts, group, MOST_LEARNED, seed)
            scores = human.log_probabilities(texts.padded(read))
            reverse.append(_perplexity(texts, read, scores, np.ones(len(scores)), include))
    return Judgement(perplexity, rare_perplexity, reverse, learned)


def _some(texts: Texts, documents: NDArray[np.int64], symbols: int, seed: int) -> NDArray[np.int64]:
    """Documents in random order until they hold so many symbols."""
    order = documents[permutation(len(documents), 0, 0, _SHUFFLE, seed)]
    ends = np.cumsum(texts.lengths[order])
    return order[: int(np.searchsorted(ends, symbols)) + 1]


def _places(texts: Texts, documents: NDArray[np.int64], flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The flags of these documents' symbols, in order."""
    ends = np.cumsum(texts.lengths + 1)
    begins = ends - texts.lengths
    return np.concatenate([flags[begins[d] : ends[d]] for d in documents])


def _perplexity(
    texts: Texts, documents: NDArray[np.int64], scores: Float, weight: Float, include: NDArray[np.uint8]
) -> Float:
    """exp(-mean score) of the weighted symbols of the documents in each lane, float64 (lanes,)."""
    owner = np.repeat(np.arange(len(documents)), texts.lengths[documents])
    chosen = include[documents].astype(np.float64)
    total = np.bincount(owner, weights=scores * weight, minlength=len(documents)) @ chosen
    size = np.bincount(owner, weights=weight, minlength=len(documents)) @ chosen
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.exp(-total / size))
