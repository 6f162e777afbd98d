"""Documents of symbols as one array: int32 `0 d1 0 d2 0`, a 0 before each document and after the last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Symbols = NDArray[np.int32]

EMPTY: Symbols = np.zeros(1, dtype=np.int32)


def pad(symbols: Symbols, length: int) -> Symbols:
    """Cut symbols, int32 (N,), into padded documents of `length`; the last may be shorter."""
    out = np.zeros(len(symbols) + -(-len(symbols) // length) + 1, dtype=np.int32)
    place = np.arange(len(symbols))
    out[place + place // length + 1] = symbols
    return out


def size(text: Symbols) -> int:
    """Symbols in padded documents."""
    return int(np.count_nonzero(text))


def runs(text: Symbols) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each document begins and how many symbols it holds, int64 (documents,) each."""
    pads = np.flatnonzero(text == 0)
    return pads[:-1] + 1, np.diff(pads) - 1


def join(texts: list[Symbols]) -> Symbols:
    """The documents of all texts, in order; of one text that text itself."""
    if len(texts) == 1:
        return texts[0]
    return np.concatenate([*(text[:-1] for text in texts), EMPTY])


def take(text: Symbols, order: NDArray[np.int64], symbols: int) -> Symbols:
    """Documents in the given order until they hold `symbols` symbols, the last one cut to fit."""
    begin, length = runs(text)
    ends = np.cumsum(length[order])
    documents = int(np.searchsorted(ends, symbols)) + 1 if symbols else 0
    begin, length = begin[order[:documents]], length[order[:documents]]
    if documents:
        length[-1] -= ends[documents - 1] - symbols
    blocks = length + 1  # each with the pad before it
    first = np.cumsum(blocks) - blocks
    index = np.arange(int(blocks.sum())) + np.repeat(begin - 1 - first, blocks)
    return np.concatenate([text[index], EMPTY])


def head(text: Symbols, symbols: int) -> Symbols:
    """The first `symbols` symbols of padded documents."""
    if symbols >= size(text):
        return text
    if symbols == 0:
        return EMPTY
    begin, length = runs(text)
    ends = np.cumsum(length)
    last = int(np.searchsorted(ends, symbols))
    stop = begin[last] + length[last] - (ends[last] - symbols)
    return np.concatenate([text[:stop], EMPTY])
