"""The loops of published experiments, one chain at a time as their code does, against the same card run here.

Each loop is written anew from the paper's description; where all of it would take minutes it does a part, and its time
is scaled up. `published` is the time that the authors' own code takes, where it is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import lightcollapse as lc
from lightcollapse.reproduce.item import load_item
from lightcollapse.scenario import Scenario

from . import text
from .race import Peer, Row, missing, race
from .setting import Setting

Rng = np.random.Generator
Loop = Callable[[Rng, int], None]  # so many chains


@dataclass(frozen=True)
class Published:
    """An item of `lightcollapse reproduce` and its loop.

    Attributes:
        item: its name, and the name of one of its cards.
        change: fields of the card that differ.
        chains: in all.
        looped: chains that the loop runs.
        loop: runs so many chains.
        published: what the authors' code takes for all chains, in words.
    """

    item: str
    chains: int
    looped: int
    loop: Loop
    published: str
    card: str = ""
    change: tuple[tuple[str, Any], ...] = ()


def gaussian(
    rng: Rng, chains: int, *, n: int, generations: int, ddof: int = 0, keep: str = "replace", d: int = 1
) -> None:
    """Fit mean and covariance, sample, fit again; `keep` says what becomes of old points."""
    for _ in range(chains):
        pool = rng.standard_normal((n, d))
        for _ in range(generations):
            used = pool
            if keep == "subsample":
                used = pool[rng.choice(len(pool), n, replace=False)]
            mean = used.mean(axis=0)
            if d == 1:
                new = mean + np.sqrt(used.var(ddof=ddof)) * rng.standard_normal((n, 1))
            else:
                new = rng.multivariate_normal(mean, np.cov(used.T, ddof=ddof), n)
            pool = new if keep == "replace" else np.concatenate([pool, new])


def weighted(rng: Rng, chains: int) -> None:
    """The mean, estimated with a weight from fresh and written points, in each of 200 rounds."""
    for _ in range(chains):
        mean = 0.0
        for _ in range(200):
            mean = 0.3 * rng.normal(0.0, 1.0, 100).mean() + 0.7 * rng.normal(mean, 1.0, 100).mean()


def symbols(rng: Rng, chains: int, *, law: Any, n: int, generations: int) -> None:
    """Draw, count, draw from the frequencies, until the generations end or one symbol is left."""
    for _ in range(chains):
        p = np.asarray(law)
        for _ in range(generations):
            p = np.bincount(rng.choice(len(p), n, p=p), minlength=len(p)) / n
            if np.count_nonzero(p) == 1:
                break


def words_again(rng: Rng, chains: int, *, tokens: list[str], generations: int) -> None:
    """Draw words by their frequencies, as many as there were."""
    for _ in range(chains):
        written: Any = tokens
        for _ in range(generations):
            counts = Counter(written)
            p = np.array(list(counts.values())) / len(written)
            written = rng.choice(np.array(list(counts)), len(written), p=p).tolist()


def numbers(rng: Rng, chains: int, *, draw: Callable[[Rng, float], Any], start: float, generations: int) -> None:
    """A parameter re-estimated as the mean of what it wrote."""
    for _ in range(chains):
        value = start
        for _ in range(generations):
            value = float(np.mean(draw(rng, value)))


def regression(rng: Rng, chains: int, *, accumulate: bool) -> None:
    """Least squares on its own labels."""
    for _ in range(chains):
        x = rng.standard_normal((100, 10))
        inputs, labels = x, x @ np.zeros(10) + rng.standard_normal(100)
        for _ in range(100):
            weights = np.linalg.lstsq(inputs, labels, rcond=None)[0]
            new = x @ weights + rng.standard_normal(100)
            if accumulate:
                inputs, labels = np.concatenate([inputs, x]), np.concatenate([labels, new])
            else:
                labels = new


def mixture(rng: Rng, chains: int, *, generations: int) -> None:
    """scikit-learn's mixture, fitted and sampled."""
    from sklearn.mixture import GaussianMixture

    for _ in range(chains):
        points = rng.standard_normal((1000, 2))
        for t in range(generations):
            points = GaussianMixture(2, random_state=t).fit(points).sample(1000)[0]


def kernel_density(rng: Rng, chains: int) -> None:
    """scikit-learn's kernel density, fitted, scored and sampled."""
    from sklearn.neighbors import KernelDensity

    for chain in range(chains):
        test = rng.standard_normal((100, 2))
        points = rng.standard_normal((100, 2))
        for t in range(100):
            model = KernelDensity(bandwidth=0.5).fit(points)
            model.score_samples(test)
            points = model.sample(100, random_state=100 * chain + t)


def _bernoulli(rng: Rng, p: float) -> Any:
    return rng.binomial(1, p, 100)


def _poisson(rng: Rng, mean: float) -> Any:
    return rng.poisson(mean, 10)


def _zipf() -> Any:
    mass = 1.0 / (np.arange(1.0, 1001.0) + 2.7)
    return mass / mass.sum()


PUBLISHED: tuple[Published, ...] = (
    Published("koyejo-gaussian-replace", 100, 100, partial(gaussian, n=100, generations=100), "0.7 s"),
    Published("koyejo-gaussian-replace", 10, 2, partial(gaussian, n=1000, generations=100, d=10), "0.42 s",
              change=(("sample_size", 1000), ("family", {"kind": "multivariate-gaussian", "dimension": 10}))),
    Published("koyejo-gaussian-replace", 10, 1, partial(gaussian, n=1000, generations=100, d=100), "3.3 s",
              change=(("sample_size", 1000), ("family", {"kind": "multivariate-gaussian", "dimension": 100}))),
    Published("koyejo-gaussian-accumulate", 10, 1, partial(gaussian, n=1000, generations=100, d=10, keep="accumulate"),
              "3.9 s", card="n100", change=(("generations", 100),
                  ("sample_size", 1000), ("family", {"kind": "multivariate-gaussian", "dimension": 10}))),
    Published("koyejo-gaussian-subsample", 10, 1, partial(gaussian, n=1000, generations=100, d=10, keep="subsample"),
              "1.2 s", change=(("sample_size", 1000), ("family", {"kind": "multivariate-gaussian", "dimension": 10}))),
    Published("suresh-gaussian-survival", 1000, 20, partial(gaussian, n=10, generations=200, ddof=1), "3.5 s",
              change=(("generations", 200),)),
    Published("suresh-gaussian-paths", 25, 2, partial(gaussian, n=100, generations=2500, ddof=1), "1.25 s"),
    Published("shumailov-accumulate", 1, 1, partial(gaussian, n=500, generations=1000, keep="accumulate"), "19.8 s"),
    Published("golden-ratio", 2000, 20, weighted, "25 min for 30 weights, two coordinates", card="w30"),
    Published("koyejo-total-collapse", 100, 20, partial(symbols, law=np.full(10, 0.1), n=100, generations=4000),
              "0.5 s", card="n100"),
    Published("suresh-bernoulli", 5000, 100,
              partial(numbers, draw=_bernoulli, start=0.01, generations=50), "1.7 s"),
    Published("suresh-poisson", 5000, 50, partial(numbers, draw=_poisson, start=1.0, generations=500), "13 s"),
    Published("suresh-zipf", 200, 10, partial(symbols, law=_zipf(), n=1000, generations=10), "49 s"),
    Published("gerstgrasser-regression", 100, 10, partial(regression, accumulate=False), "0.5 s", card="replace"),
    Published("gerstgrasser-regression", 100, 2, partial(regression, accumulate=True), "5.2 s", card="accumulate"),
)  # fmt: skip
WITH_SKLEARN: tuple[Published, ...] = (
    Published("shumailov-gmm", 1, 1, partial(mixture, generations=50), "0.24 s of 9.6 s",
              change=(("generations", 50),)),
    Published("koyejo-kde", 100, 5, kernel_density, "12 s", card="replace"),
)  # fmt: skip


def rows(setting: Setting) -> Iterator[Row]:
    lacking = missing("sklearn")
    for one in PUBLISHED[:1] if setting.quick else PUBLISHED + WITH_SKLEARN:
        yield from _race(setting, one, lacking if one in WITH_SKLEARN else "")
    if not setting.quick:
        yield from _unigram(setting)
    yield from _bigram(setting)


def card_of(one: Published) -> Scenario:
    """The item's card with what differs."""
    item = load_item(one.item)
    return Scenario.from_dict(item.data(one.card) | dict(one.change))


def _race(setting: Setting, one: Published, lacking: str) -> Iterator[Row]:
    card = card_of(one)
    family = card.family
    dimension = f", d = {family.dimension}" if "dimension" in family.__struct_fields__ else ""
    work = f"{one.item}{dimension}, {card.regime.kind}: {one.chains:,} chains x {card.generations:,} generations"
    rng = np.random.default_rng(1)
    call = None if lacking else lambda: one.loop(rng, one.looped)
    yield from race(
        "published", work, lambda: lc.run(card, seed=1, replicates=one.chains, jobs=1),
        [Peer("one chain at a time", call, share=one.looped / one.chains, missing=lacking)],
        repeats=setting.repeats, count=float(one.chains), unit="chain", note=f"the authors' code: {one.published}",
        label=f"{one.item}{dimension}",
    )  # fmt: skip


def _words(setting: Setting) -> tuple[str, list[str]]:
    written = text.words(setting.size(436_577, 20_000))
    return written, written.split(" ")


def _text_card(setting: Setting, written: str, order: int) -> Scenario:
    path = text.SCRATCH / f"words-{len(written)}.txt"
    path.write_text(written)
    source = lc.sources.Text(str(path), unit="words", lowercase=True, held_out=0.001, document_length=10_000)
    return lc.Scenario(source, lc.families.NGram(order=order, smoothing="ml"), generations=2)


def _unigram(setting: Setting) -> Iterator[Row]:
    written, tokens = _words(setting)
    card, rng = _text_card(setting, written, 1), np.random.default_rng(1)
    yield from race(
        "published", f"suresh-unigram: {len(tokens):,} words x 2 generations",
        lambda: lc.run(card, seed=1, replicates=1, jobs=1),
        [Peer("Counter and choice", lambda: words_again(rng, 1, tokens=tokens, generations=2))],
        repeats=setting.repeats, count=2.0 * len(tokens), unit="word",
        note="the authors' code: 15 s for 50 generations; ours with every metric",
        label="suresh-unigram",
    )  # fmt: skip


def _bigram(setting: Setting) -> Iterator[Row]:
    """nltk's bigram model fits all of the text and writes a small part of it."""
    written, tokens = _words(setting)
    card = _text_card(setting, written, 2)
    lacking = missing("nltk")
    drawn = setting.size(200, 100)
    notes = "the authors' code: about 40 min a generation; nltk fits all, writes {} words, scaled"
    spent: list[float] = []

    def nltk_generation() -> Any:
        from time import process_time

        from nltk.lm import MLE
        from nltk.lm.preprocessing import padded_everygram_pipeline

        from .race import Spent

        begin = process_time()
        grams, vocabulary = padded_everygram_pipeline(2, [tokens])
        model = MLE(2)
        model.fit(grams, vocabulary)
        fitted = process_time() - begin
        begin = process_time()
        model.generate(drawn, random_seed=1)
        wrote = process_time() - begin
        spent.append(fitted + wrote * len(tokens) / drawn)
        return Spent(2.0 * spent[-1])

    def lists() -> None:
        import random

        rng, following = random.Random(1), {}  # type: ignore[var-annotated]
        for _ in range(2):
            following = {}
            for one, other in pairwise(tokens):
                following.setdefault(one, []).append(other)
            word = tokens[0]
            for _ in range(len(tokens)):
                word = rng.choice(following.get(word) or tokens)

    yield from race(
        "published", f"suresh-bigram: {len(tokens):,} words x 2 generations",
        lambda: lc.run(card, seed=1, replicates=1, jobs=1),
        [Peer("nltk.lm.MLE", None if lacking else nltk_generation, missing=lacking),
         Peer("Python lists of successors", lists)],
        repeats=setting.repeats, count=2.0 * len(tokens), unit="word", note=notes.format(drawn),
        label="suresh-bigram",
    )  # fmt: skip
