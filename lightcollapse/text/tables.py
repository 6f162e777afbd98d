"""Counts of n-grams of all generations, one row a type: what estimators of drift start from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import require
from lightcollapse.text import blocks, saving
from lightcollapse.text.blocks import BLOCKS
from lightcollapse.text.inputs import Given, Inputs, Name, resolve
from lightcollapse.text.reading import MAX_BYTES, Format
from lightcollapse.text.texts import Texts, gather
from lightcollapse.text.tokens import Tokens, tokens

LONGEST = 8

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """Generations of text, counted.

    Attributes:
        texts: what was read.
        names: the generations, the baseline first; G of them.
        unit: words, chars, bytes or tokens; order: the longest n-grams that were counted.
    """

    texts: Texts

    @property
    def names(self) -> tuple[Name, ...]:
        """The generations, the baseline first."""
        return self.texts.names

    @property
    def unit(self) -> str:
        """What symbols are."""
        return self.texts.unit

    @property
    def order(self) -> int:
        """The longest n-grams that were counted."""
        return self.texts.order

    def documents(self) -> Int:
        """Documents by generation and block, int64 (G, BLOCKS)."""
        return self.texts.documents

    def halves(self, resamples: int, seed: int = 0) -> NDArray[np.uint8]:
        """Random halves of the blocks of documents: uint8 (G x BLOCKS, resamples + 1), column 0 everything.

        The spread of a statistic over the other columns is its standard error.
        """
        return blocks.halves(self.documents(), resamples, seed)

    def sizes(self, n: int = 1, included: NDArray[np.integer[Any]] | None = None) -> Int:
        """N-grams of each generation, int64 (G,); `included` (G x BLOCKS,) is how often each block counts."""
        self._known(n)
        times = np.ones(len(self.names) * BLOCKS, dtype=np.int64) if included is None else included.astype(np.int64)
        return np.asarray((self.texts.ngrams[n - 1] * times).reshape(-1, BLOCKS).sum(axis=1))

    def table(self, n: int = 1, included: NDArray[np.integer[Any]] | None = None) -> Int:
        """Counts of each n-gram type in each generation, int64 (types, G); rows are in the same order for any blocks.

        `included` (G x BLOCKS,) is how often each block of documents counts: a column of `halves`, or of a bootstrap.
        """
        from lightcollapse.kernels import packing

        self._known(n)
        groups = len(self.names)
        times = np.ones(groups * BLOCKS, dtype=np.int64) if included is None else included.astype(np.int64)
        parts = []
        for part in self.texts.entries.of(n):
            given = (part.shared, part.left, part.owner, part.weight, n, BLOCKS)
            found = np.zeros(2, dtype=np.int64)
            packing.survey(*given, groups, len(part) + 1, found)
            table = np.zeros((int(found.sum()), groups), dtype=np.int64)
            packing.fill_table(*given, times, table)
            parts.append(table)
        return np.concatenate(parts) if parts else np.zeros((0, groups), dtype=np.int64)

    def entries(self, n: int = 1) -> tuple[Int, Int, Int]:
        """Which type occurs in which block how often: the row in `table`, generation x BLOCKS + block, and the count.

        int64 (entries,) each; a type and a block may come together several times.
        """
        self._known(n)
        types, owners, weights = [], [], []
        rows = 0
        for part in self.texts.entries.of(n):
            whole = part.left >= n
            first = (part.shared < n) & whole
            types.append(rows + np.cumsum(first)[whole] - 1)
            owners.append(part.owner[whole].astype(np.int64))
            weights.append(part.weight[whole].astype(np.int64))
            rows += int(first.sum())
        none = np.empty(0, dtype=np.int64)
        return np.concatenate([none, *types]), np.concatenate([none, *owners]), np.concatenate([none, *weights])

    def _known(self, n: int) -> None:
        require(1 <= n <= self.order, f"n must lie in 1 .. {self.order}, the order that was counted", n)


def tabulate(files: Given, *, unit: str = "words", order: int = 1, **options: Any) -> Tables:
    """Count the n-grams of generations of text, or load files of counts.

    `files` and the options are those of `measure`. Raises as `measure` does.
    """
    return Tables(opened(files, unit=unit, order=order, **options))


def opened(
    files: Given, *, unit: str = "words", order: int = 4, seed: int = 0, keep: bool = False, **options: Any
) -> Texts:
    """Generations read from files of text, or from files of counts; `keep` keeps what saving needs.

    `options` are those of `prepared`.
    """
    counted = saved(files)
    if counted:
        for option in ("baseline", "by", "generation_from_filename"):
            rule = f"files of counts say themselves which generation is which: leave {option} out"
            require(options.get(option) is None, rule, options.get(option))
        return saving.load(counted, keep=keep)
    inputs, how, cut = prepared(files, unit=unit, order=order, seed=seed, **options)
    return gather(inputs, how, cut, order, seed, keep=keep)


def prepared(
    files: Given,
    *,
    unit: str = "words",
    order: int = 4,
    seed: int = 0,
    baseline: str | None = None,
    by: str | None = None,
    generation_from_filename: str | None = None,
    text_field: str = "text",
    generation_field: str = "generation",
    source_field: str = "source",
    errors: str = "strict",
    max_bytes: int = MAX_BYTES,
    tokenizer: str | None = None,
) -> tuple[Inputs, Format, Tokens]:
    """Which files hold what, how they are read, and what cuts them. Raises CardError where options break a rule, or
    files of counts stand among the texts.
    """
    require(1 <= order <= LONGEST, f"order must lie in 1 .. {LONGEST}", order)
    require(0 <= seed < 2**64, "seed must lie in [0, 2^64)", seed)
    how = Format(errors, text_field, generation_field, source_field, max_bytes)
    cut = tokens(unit, tokenizer)
    inputs = resolve(files, by=by, baseline=baseline, from_filename=generation_from_filename)
    for path, _ in inputs.files:
        help = "save counts of the texts too: lightcollapse measure FILES --save-counts texts.counts"
        require(not path.endswith(saving.SUFFIX), "files of counts and texts cannot be mixed", path, help)
    return inputs, how, cut


def saved(files: Given) -> list[str]:
    """The paths, where all are files of counts; none otherwise."""
    if isinstance(files, str | os.PathLike):
        files = [files]
    paths = [os.fspath(path) for path in files] if isinstance(files, list | tuple) else []
    return paths if paths and all(path.endswith(saving.SUFFIX) for path in paths) else []
