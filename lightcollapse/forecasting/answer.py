"""What a forecast says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightcollapse.text.inputs import Name

LEVEL = 0.95


@dataclass(frozen=True)
class Row:
    """One metric of one generation to come.

    Attributes:
        metric: support (types), entropy, kl (nats), heterozygosity, kept_LOW-HIGH (share of the baseline's types seen
            so often that still occur).
        generation: number of the generation; the last measured one comes first, with no interval.
        value, ci_low, ci_high: expectation, and the 95 % interval for one run.
        note: why a value is missing or not to be trusted; empty where there is nothing to say.
    """

    metric: str
    generation: int
    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Driver:
    """What drives the drift, as measured between two generations (both None: over all of them).

    Attributes:
        name: effective_sample_size, dispersion, temperature or fresh.
        first, second: names of the generations.
        value, ci_low, ci_high: None where nothing bounds it.
    """

    name: str
    first: Name | None
    second: Name | None
    value: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Forecast:
    """What is to be expected, and what it rests on.

    Attributes:
        rows: metric by metric, generations in order.
        drivers: what was measured; empty where only the baseline is known.
        trusted: the last generation to be trusted; `rule` says why.
        recipe: every choice that decides a number.
    """

    rows: tuple[Row, ...]
    drivers: tuple[Driver, ...]
    trusted: int
    rule: str
    recipe: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def __getitem__(self, key: tuple[str, int]) -> Row:
        for row in self.rows:
            if (row.metric, row.generation) == key:
                return row
        raise KeyError(f"no metric {key[0]!r} of generation {key[1]!r}; known: {', '.join(self.metrics)}")
