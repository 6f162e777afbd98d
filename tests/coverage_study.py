"""How often 95 % intervals hold what they should: `python -m tests.coverage_study [RUNS] [NOVEL.txt ...]`.

Prints one line a setting: effective sample size, temperature and fresh share of simulated recursions whose own are
known; then forecasts of generations 3 to 10 of n-gram recursions on the embedded corpus and on each novel, from
generations 0 to 2, in a tenth of the runs. 1,000 runs take about a minute, a text some more.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightcollapse.forecasting import forecast_counts, forecast_tallies
from lightcollapse.predictions import spectrum, temporal
from lightcollapse.text import blocks
from lightcollapse.text.tallies import Tallies

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """A loop of known drivers, and how it is looked at.

    Attributes:
        chain: whether counts are training sets, or samples of `tokens` (and `second`) each.
        learned: tokens that a model learns from, out of those of its training set; 0 for all.
    """

    name: str
    chain: bool
    types: int = 5000
    tokens: int = 20_000
    second: int = 0
    learned: int = 0
    temperature: float = 1.0
    fresh: float = 0.0

    @property
    def effective(self) -> float:
        """n_e, as it is defined for the plan of sampling."""
        if not self.chain:
            return float(self.learned)
        if self.fresh:
            return self.tokens / (1.0 + self.fresh)
        return 1.0 / (1.0 / self.tokens + (1.0 / self.learned if self.learned else 0.0))


SETTINGS = (
    Setting("chain", True),
    Setting("chain, 60 types", True, types=60, tokens=3000),
    Setting("chain, temperature 0.9", True, temperature=0.9),
    Setting("chain, temperature 1.1", True, temperature=1.1),
    Setting("chain, half learned", True, learned=10_000),
    Setting("chain, fresh 0.1", True, fresh=0.1),
    Setting("chain, fresh 0.2, temperature 0.95", True, fresh=0.2, temperature=0.95),
    Setting("samples", False, learned=20_000),
    Setting("samples, strong drift", False, learned=2000),
    Setting("samples, unequal", False, tokens=50_000, second=10_000, learned=5000),
    Setting("samples, temperature 0.95", False, learned=5000, temperature=0.95),
    Setting("samples, fresh 0.2", False, learned=2000, fresh=0.2),
    Setting("samples, fresh 0.5", False, learned=5000, fresh=0.5),
    Setting("samples, fresh 0.3, temperature 0.95", False, learned=5000, fresh=0.3, temperature=0.95),
)


def zipf(types: int) -> Float:
    """Zipf's law with exponent 1."""
    law = 1.0 / np.arange(1, types + 1)
    return np.asarray(law / law.sum())


def heated(law: Float, temperature: float) -> Float:
    """The law at this temperature; types without mass keep none."""
    power = np.where(law > 0, law, 1.0) ** (1.0 / temperature) * (law > 0)
    return np.asarray(power / power.sum())


def step_of(setting: Setting, random: np.random.Generator) -> temporal.Step:
    """One run of a setting, as the estimators see it."""
    law = zipf(setting.types)
    n = setting.tokens
    if setting.chain:
        x = random.multinomial(n, law)
        model = random.multinomial(setting.learned, x / n) / setting.learned if setting.learned else x / n
        if setting.fresh:
            fresh = round(setting.fresh * n)
            model = (1.0 - setting.fresh) * model + setting.fresh * random.multinomial(fresh, law) / fresh
        y = random.multinomial(n, heated(model, setting.temperature))
        source = _good(x) if setting.fresh else None
        return temporal.chain_step(x, y, source, source_size=n)
    human = random.multinomial(n, law) if setting.fresh else None
    first = random.multinomial(setting.learned, law) / setting.learned if setting.fresh else law
    x = random.multinomial(n, first)
    fresh = round(setting.fresh * setting.learned)
    learned = random.multinomial(setting.learned - fresh, first) + (random.multinomial(fresh, law) if fresh else 0)
    y = random.multinomial(setting.second or n, heated(learned / setting.learned, setting.temperature))
    return temporal.sample_step(x, y, human)


def _good(counts: Int) -> Float:
    values, times = spectrum.tally(counts)
    share = spectrum.good_shares(values, times)
    lacking = counts == 0
    missing = float((counts == 1).sum()) / float(counts.sum())
    seen = share[np.minimum(np.searchsorted(values, counts), len(values) - 1)]
    return np.where(lacking, missing / max(int(lacking.sum()), 1), seen * (1.0 - missing) / float(share @ times))


def hits(setting: Setting, runs: int, seed: int = 0) -> dict[str, int]:
    """How many of the runs' intervals hold each driver."""
    random = np.random.default_rng(seed)
    found = {"effective": 0, "temperature": 0} | ({"fresh": 0} if setting.fresh else {})
    for _ in range(runs):
        step = step_of(setting, random)
        found["effective"] += step.effective.low <= setting.effective <= step.effective.high
        found["temperature"] += step.temperature.low <= setting.temperature <= step.temperature.high
        if setting.fresh and step.fresh is not None:
            found["fresh"] += step.fresh.low <= setting.fresh <= step.fresh.high
    return found


def padded(path: Path, length: int = 200) -> tuple[NDArray[np.int32], int, int]:
    """The words of a text in documents of `length`: padded symbols, how many kinds, how many in all."""
    return padded_words(re.findall(r"\w+", path.read_text(encoding="utf-8")), length)


def padded_words(words: list[str], length: int = 200) -> tuple[NDArray[np.int32], int, int]:
    """The same of words that are at hand."""
    symbols = np.unique(words, return_inverse=True)[1].astype(np.int32) + 1
    zero = np.zeros(1, dtype=np.int32)
    parts = [zero]
    for begin in range(0, len(symbols), length):
        parts += [symbols[begin : begin + length], zero]
    return np.concatenate(parts), int(symbols.max()), len(symbols)


def measured(counts: Int, baseline: Int) -> dict[str, float]:
    """What a forecast speaks of, of one text."""
    share, human = counts / counts.sum(), baseline / baseline.sum()
    here = share > 0
    found = {
        "support": float(here.sum()),
        "entropy": float(-(share[here] * np.log(share[here])).sum()),
        "heterozygosity": float(1.0 - (share**2).sum()),
        "kl": float((share[here] * np.log(share[here] / human[here])).sum()),
    }
    bands = spectrum.band_of(baseline)
    for band, name in enumerate(spectrum.BANDS):
        if (bands == band).any():
            found[f"kept_{name}"] = float((counts[bands == band] > 0).mean())
    return found


def embedded(tokens: int = 20_000) -> tuple[NDArray[np.int32], int, int]:
    """The first documents of the standard library's own topics, as `padded`."""
    from pydoc_data.topics import topics

    words = re.findall(r"\w+", "\n".join(topics[name] for name in sorted(topics)))
    return padded_words(words[:tokens])


def tallied(counts: Int, last: NDArray[np.int32]) -> Tallies:
    """Counts of generations, with the documents of the last one."""
    here = last > 0
    documents = (np.cumsum(~here) - 1)[here]
    owner = blocks.deal(0, int(documents.max()) + 1, len(counts) - 1, 0)[documents]
    nothing = np.empty((len(counts), 0, 0), dtype=np.int64)
    return Tallies(counts, last[here].astype(np.int64) - 1, owner, nothing)


def text_hits(
    text: NDArray[np.int32], order: int, runs: int, smoothing: str = "ml", *, last: int = 10, clustered: bool = True
) -> tuple[dict[tuple[str, int], float], float]:
    """Share of runs in which the forecast from generations 0 to 2 holds each metric of generations 3 to `last`, and the
    mean of the last generation to be trusted. `clustered` False: as if nothing were known of documents.
    """
    from lightcollapse.kernels.ngram import Model

    alphabet, n = int(text.max()), int((text > 0).sum())
    found: dict[tuple[str, int], float] = {}
    trusted = 0.0
    for run in range(runs):
        texts = [text]
        for t in range(1, last + 1):
            made = Model(texts[-1], order, alphabet, smoothing, closed=True).write(n, 200, t + 1, run, 11)
            texts.append(made)
        counts = np.array([np.bincount(each[each > 0], minlength=alphabet + 1)[1:] for each in texts])
        known = tallied(counts[:3], texts[2])
        ahead = last - 2
        forecast = (
            forecast_tallies(known, generations=ahead, chain=True)
            if clustered
            else forecast_counts(counts[:3], generations=ahead, chain=True)
        )
        trusted += forecast.trusted / runs
        for t in range(3, last + 1):
            for metric, value in measured(counts[t], counts[0]).items():
                row = forecast[metric, t]
                if row.ci_low is not None and row.ci_high is not None:
                    held = row.ci_low <= value <= row.ci_high
                    found[metric, t] = found.get((metric, t), 0.0) + held / runs
    return found, trusted


def lines(runs: int, novels: list[Path]) -> Iterator[str]:
    """The report."""
    for setting in SETTINGS:
        found = hits(setting, runs)
        yield f"{setting.name:<36} " + "  ".join(f"{name} {count / runs:.3f}" for name, count in found.items())
    texts = {"embedded": embedded()[0]} | {path.stem: padded(path)[0] for path in novels}
    for title, text in texts.items():
        for order, smoothing in ((1, "ml"), (2, "ml"), (3, "ml"), (3, "modified-kneser-ney")):
            held, trusted = text_hits(text, order, max(runs // 10, 10), smoothing)
            yield f"{title}, order {order}, {smoothing}; trusted up to generation {trusted:.1f}"
            for metric in dict.fromkeys(metric for metric, _ in held):
                yield f"  {metric:<16}" + "  ".join(f"{t}: {held[metric, t]:.2f}" for t in range(3, 11))


if __name__ == "__main__":
    arguments = sys.argv[1:] or ["1000"]
    for line in lines(int(arguments[0]), [Path(name) for name in arguments[1:]]):
        print(line, flush=True)
