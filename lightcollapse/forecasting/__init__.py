"""Forecasting generations of text that are not written yet, from the baseline's counts or from measured generations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.errors import DataError, require
from lightcollapse.forecasting.answer import Driver, Forecast, Row
from lightcollapse.forecasting.drivers import drivers_of, noise_of
from lightcollapse.forecasting.lineage import Kept, start_of
from lightcollapse.forecasting.outlook import Outlook, clusters_of, of_source
from lightcollapse.forecasting.telling import as_expected, kl_note, rows_of, trust, warnings_of
from lightcollapse.predictions import spectrum
from lightcollapse.text.inputs import Given, Name
from lightcollapse.text.reading import MAX_BYTES
from lightcollapse.text.tables import opened
from lightcollapse.text.tallies import Tallies, tally

__all__ = ["MOST_AHEAD", "Driver", "Forecast", "Row", "forecast", "forecast_counts", "forecast_tallies"]

MOST_AHEAD = spectrum.LONGEST - 1


def forecast(
    files: Given,
    *,
    generations: int = 10,
    sample_size: int | None = None,
    fresh: float | None = None,
    temperature: float | None = None,
    chain: bool = False,
    unit: str = "words",
    order: int = 1,
    baseline: str | None = None,
    by: str | None = None,
    generation_from_filename: str | None = None,
    text_field: str = "text",
    generation_field: str = "generation",
    source_field: str = "source",
    errors: str = "strict",
    max_bytes: int = MAX_BYTES,
    tokenizer: str | None = None,
    seed: int = 0,
) -> Forecast:
    """Forecast the vocabulary of generations to come: support, entropy, heterozygosity, KL, survival of rare types.

    `files` as for `measure`, the baseline first. With the baseline alone each generation is taken to be trained on
    `sample_size` tokens (default: as many as the last generation has) that the last one wrote. With more generations
    the effective sample size, temperature and fresh share are estimated from them. `chain`: each file is the very text
    that the next model learned from; otherwise files are samples, apart from what was learned, and the intervals hold
    what the files do not know of it.

    Raises CardError on an argument that breaks a rule, DataError where a file cannot be read.
    """
    _check(generations, sample_size, fresh, temperature)
    texts = opened(
        files, unit=unit, order=order, baseline=baseline, by=by, generation_from_filename=generation_from_filename,
        text_field=text_field, generation_field=generation_field, source_field=source_field, errors=errors,
        max_bytes=max_bytes, tokenizer=tokenizer, seed=seed,
    )  # fmt: skip
    require(order <= texts.order, f"the files of counts hold n-grams up to {texts.order}", order)
    counted = tally(texts, order, seed)
    if not all(counted.counts.sum(axis=1) >= 2):
        raise DataError(f"a generation holds fewer than two {order}-grams: too little to forecast from")
    recipe = {"files": [{"name": file.name, "sha256": file.sha256} for file in texts.files],
              "unit": texts.unit.partition(" ")[0], "order": order, "seed": seed}  # fmt: skip
    return forecast_tallies(
        counted, names=texts.names, generations=generations, sample_size=sample_size, fresh=fresh,
        temperature=temperature, chain=chain, recipe=recipe,
    )  # fmt: skip


def forecast_counts(
    counts: ArrayLike,
    *,
    generations: int = 10,
    sample_size: int | None = None,
    fresh: float | None = None,
    temperature: float | None = None,
    chain: bool = False,
) -> Forecast:
    """The same from counts, int (types,) of the baseline or (measured generations, types). Tokens are taken to be
    independent, for nothing is known of documents.
    """
    _check(generations, sample_size, fresh, temperature)
    table = np.atleast_2d(np.asarray(counts))
    require(table.ndim == 2 and table.size > 0 and np.issubdtype(table.dtype, np.integer), "counts must be whole "
            "numbers, (types,) or (generations, types)", table.shape)  # fmt: skip
    require(int(table.min()) >= 0, "counts must be at least 0", int(table.min()))
    require(bool((table.sum(axis=1) >= 2).all()), "each generation needs at least two tokens", table.sum(axis=1))
    nothing = np.empty(0, dtype=np.int64)
    counted = Tallies(
        table.astype(np.int64, copy=False), nothing, nothing, np.empty((len(table), 0, 0), dtype=np.int64)
    )
    return forecast_tallies(
        counted, generations=generations, sample_size=sample_size, fresh=fresh, temperature=temperature, chain=chain
    )


def _check(generations: int, sample_size: int | None, fresh: float | None, temperature: float | None) -> None:
    require(1 <= generations <= MOST_AHEAD, f"generations must lie in 1 .. {MOST_AHEAD}", generations,
            "the tables of counts grow with their square; "
            "`plan` has closed forms for any number")  # fmt: skip
    require(sample_size is None or 2 <= sample_size <= 10**12, "sample_size must lie in 2 .. 10^12", sample_size)
    require(fresh is None or 0.0 <= fresh <= 1.0, "fresh must lie in [0, 1]", fresh)
    usual = temperature is None or (math.isfinite(temperature) and 0.1 <= temperature <= 10.0)
    require(usual, "temperature must lie in [0.1, 10]", temperature)


def forecast_tallies(
    counted: Tallies,
    *,
    names: Sequence[Name] | None = None,
    generations: int = 10,
    sample_size: int | None = None,
    fresh: float | None = None,
    temperature: float | None = None,
    chain: bool = False,
    recipe: Mapping[str, Any] | None = None,
) -> Forecast:
    """The same from counts with the documents of the last generation. `recipe`: what is said of the files."""
    counts = counted.counts
    names = list(names or range(len(counts)))
    size = int(counts[-1].sum())
    n = sample_size or size
    noises = [noise_of(half, count) for half, count in zip(counted.halves, counts, strict=True)]
    drivers, rates = drivers_of(counts, names, noises, chain, n)
    rates = rates.told(fresh, temperature)
    start = start_of(counts, rates.fresh > 0)
    outlook = Outlook(start, None if chain else Kept(counts[0], len(counts) - 1), generations, n, rates,
                      thinned=not chain and n < size)  # fmt: skip
    measured = len(counts) - 1
    clusters = clusters_of(outlook, counted) if chain and measured else {}
    spread = outlook.variance(clusters)
    extra = {} if chain else of_source(outlook, counted)
    first = next((int(name) for name in reversed(names) if isinstance(name, int)), len(names) - 1)
    rows, wide = rows_of(outlook, spread, extra, first, kl_note(start, counts, chain, rates), clusters)
    trusted, rule = trust(outlook, wide, first, measured, clusters)
    if chain and measured and not as_expected(counts, rates):
        trusted, rule = first, "the last generation is not what its predecessor leads to: the loop is of another kind"
    chosen = {"generations": generations, "sample_size": n, "chain": chain, "dispersion": rates.dispersion,
              "temperature": rates.temperature, "fresh": rates.fresh, "tokens": counts.sum(axis=1).tolist(),
              "measured": [str(name) for name in names]}  # fmt: skip
    return Forecast(tuple(rows), tuple(drivers), trusted, rule, dict(recipe or {}) | chosen,
                    tuple(warnings_of(n, size, chain, noises, drivers, fresh, clusters)))  # fmt: skip
