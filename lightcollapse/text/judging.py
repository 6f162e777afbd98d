"""Perplexity: what a model of each generation makes of human text, and a model of human text of each generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus.padding import head
from lightcollapse.text.blocks import BLOCKS
from lightcollapse.text.counting import rare_cut
from lightcollapse.text.entries import on_threads
from lightcollapse.text.texts import Sample, Texts, gathered

Float = NDArray[np.float64]
Symbols = NDArray[np.int32]
Int = NDArray[np.int64]

MOST_LEARNED = 2**22  # symbols that a model is fitted on, and symbols that it judges: bounds memory and time
_SMOOTHING = "modified-kneser-ney"
_LONGEST = 2**16
_START = np.zeros(1, dtype=np.int32)


@dataclass(frozen=True)
class Judgement:
    """Perplexities, float64 (lanes,) for each generation, the baseline first. Lane 0 is everything.

    Attributes:
        perplexity: of a model of the generation, on the second half of the baseline.
        rare: the same, on the symbols there that end an n-gram which is rare in what the human model learned; NaN where
            there is none.
        reverse: of a model of the first half of the baseline, on the generation (row 0: on the second half).
        learned: symbols that each model was fitted on.
    """

    perplexity: list[Float]
    rare: list[Float]
    reverse: list[Float]
    learned: int


@dataclass(frozen=True)
class _Text:
    """Documents in random order: padded symbols, their lengths and owners."""

    symbols: Symbols
    lengths: Int
    owners: Int


def judge(texts: Texts, include: NDArray[np.uint8], rare_order: int) -> Judgement:
    """Fit an interpolated modified Kneser-Ney model of n-grams to as much of each generation, and let it judge.

    Models are those of the first half of the baseline and of each generation, all on equally many symbols in random
    documents. Lanes resample the blocks of documents that are judged; the models stay.
    """
    from lightcollapse.kernels.ngram import Model

    human = texts.generations[0]
    shown = [_text(human.halves[:1], 0)] + [_text(g.halves, k) for k, g in enumerate(texts.generations) if k]
    held_out = _text(human.halves[1:], 0)
    learned = min(MOST_LEARNED, *(int(text.lengths.sum()) for text in shown))
    marked = _rare(shown[0].symbols, held_out.symbols, rare_order, texts.alphabet)

    def fit(text: _Text) -> tuple[Model, Float]:
        model = Model(head(text.symbols, learned), texts.order, texts.alphabet, _SMOOTHING)
        return model, model.log_probabilities(held_out.symbols)

    perplexity, rare, models = [], [], []
    for k, (model, scores) in enumerate(on_threads(fit, shown)):
        perplexity.append(_perplexity(held_out, scores, np.ones(len(scores)), include))
        rare.append(_perplexity(held_out, scores, marked, include))
        if k == 0:
            models.append(model)

    def read(text: _Text) -> Float:
        scores = models[0].log_probabilities(text.symbols)
        return _perplexity(text, scores, np.ones(len(scores)), include)

    return Judgement(perplexity, rare, [perplexity[0], *on_threads(read, shown[1:])], learned)


def _text(halves: Sequence[Sample], generation: int) -> _Text:
    """The documents of samples by their random numbers, until they hold enough."""
    symbols, lengths, blocks, order = (
        np.concatenate([getattr(half, name) for half in halves]) for name in ("symbols", "lengths", "blocks", "order")
    )
    by = np.argsort(order, kind="stable")
    by = by[: int(np.searchsorted(np.cumsum(lengths[by]), MOST_LEARNED)) + 1]
    padded = np.concatenate([_START, gathered(symbols, lengths, by)])
    return _Text(padded, lengths[by], generation * BLOCKS + blocks[by])


def _rare(learned: Symbols, judged: Symbols, n: int, alphabet: int) -> Float:
    """1 at the symbols of `judged` that end a rare n-gram of `learned`, else 0; float64 (symbols,)."""
    from lightcollapse.kernels import packing

    text = np.concatenate([learned[:-1], judged, np.zeros(n, dtype=np.int32)])
    boundary = len(learned) - 1
    places = np.flatnonzero(text).astype(np.int32)
    left, nobody = np.empty(len(places), dtype=np.uint8), np.empty(len(places), dtype=np.int32)
    shared = packing.sort_places(text, places, n, alphabet)
    owner = (text * 0).astype(np.int32)
    owner[boundary:] = 1  # an odd block: not in the first half
    packing.describe(text, places, n, owner, left, nobody)
    halves = np.zeros(_LONGEST, dtype=np.int64)
    one = np.ones(len(places), dtype=np.int32)
    packing.survey(shared, left, nobody, one, n, BLOCKS, 1, len(text), halves)
    size = int(np.sum((left >= n) & (nobody == 0)))
    mark = np.zeros(len(text), dtype=np.uint8)
    packing.mark_rare(places, shared, left, n, boundary, rare_cut(halves, size), mark)
    return np.asarray(mark[boundary : boundary + len(judged)][judged != 0], dtype=np.float64)


def _perplexity(text: _Text, scores: Float, weight: Float, include: NDArray[np.uint8]) -> Float:
    """exp(-mean score) of the weighted symbols of the documents in each lane, float64 (lanes,).

    Scores and weights are those of each document's symbols.
    """
    owner = np.repeat(text.owners, text.lengths)
    lanes = include.astype(np.float64)
    total = np.bincount(owner, weights=scores * weight, minlength=len(include)) @ lanes
    size = np.bincount(owner, weights=weight, minlength=len(include)) @ lanes
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.exp(-total / size))
