"""Distinct 4-grams of ten million tokens, against NumPy, polars and DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lightcollapse.corpus import padding
from lightcollapse.kernels.counting import count_ngrams

from .race import Peer, Row, peer, race
from .setting import Setting

BITS = 16  # of a token, so that four make a 64-bit key


def rows(setting: Setting) -> Iterator[Row]:
    size = setting.size(10_000_000, 500_000)
    rng = np.random.default_rng(1)
    for what, alphabet, tokens, goal in (
        ("most distinct", 50_000, rng.integers(1, 50_001, size=size), 1.5),
        ("few distinct", 20, rng.integers(1, 21, size=size), 4.0),
    ):
        document = padding.pad(tokens.astype(np.int32), size)
        ours = count_ngrams(document, alphabet)[0][3]
        theirs = len(np.unique(_keys(tokens)))
        if ours != theirs:
            raise ArithmeticError(f"{ours} distinct 4-grams, NumPy finds {theirs}")
        yield from race(
            "distinct",
            f"{size:,} tokens, {what}: 4-grams, and their entropy",
            lambda document=document, alphabet=alphabet: count_ngrams(document, alphabet),  # type: ignore[misc]
            [
                Peer("np.unique(return_counts=True)", _numpy(tokens), goal),
                peer("polars group_by, one thread", "polars", _polars(tokens)),
                peer("DuckDB GROUP BY, one thread", "duckdb", _duckdb(tokens)),
            ],
            repeats=setting.repeats,
            count=float(size),
            unit="token",
            limit=setting.seconds(size * setting.limits.sort),
            limit_of="one sort of 64-bit keys",
            label=f"4-grams, {what}",
            note="ours counts 1-, 2- and 3-grams as well",
        )


def _keys(tokens: Any) -> Any:
    wide = tokens.astype(np.uint64)
    key = wide[:-3].copy()
    for step in range(1, 4):
        key <<= np.uint64(BITS)
        key |= wide[step : len(wide) - 3 + step]
    return key


def _numpy(tokens: Any) -> Callable[[], Any]:
    def run() -> float:
        counts = np.unique(_keys(tokens), return_counts=True)[1]
        share = counts / counts.sum()
        return float(-(share * np.log(share)).sum())

    return run


def _polars(tokens: Any) -> Callable[[], Any]:
    def run() -> Any:
        import polars

        return polars.DataFrame({"key": _keys(tokens)}).group_by("key").len()

    return run


def _duckdb(tokens: Any) -> Callable[[], Any]:
    def run() -> Any:
        import duckdb

        with duckdb.connect(config={"threads": 1}) as base:
            base.register("tokens", {"key": _keys(tokens)})
            return base.execute("SELECT count(*) FROM (SELECT key, count(*) FROM tokens GROUP BY key)").fetchone()

    return run
