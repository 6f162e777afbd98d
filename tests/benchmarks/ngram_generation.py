"""Writing text, and a whole generation (fit, write, score, count), against plain Python dictionaries."""

from __future__ import annotations

from collections.abc import Iterator

import lightcollapse as lc
from lightcollapse.corpus import padding

from . import text
from .dictionaries import Dictionaries
from .race import Peer, Row, race
from .setting import Setting

ORDER, LENGTH, SHARE = 5, 256, 0.25
LOADS = 2  # from memory for a character: what is drawn, and where that leads


def rows(setting: Setting) -> Iterator[Row]:
    corpus = text.prose(setting.size(1_000_000, 100_000))
    made = text.simulation(corpus, ORDER, "witten-bell", length=LENGTH)
    human = made.human
    symbols = human.size
    documents = [_decoded(made, begin, size) for begin, size in zip(*padding.runs(human.training), strict=True)]
    held_out = [
        _decoded(made, begin, size, held=True) for begin, size in zip(*padding.runs(human.held_out), strict=True)
    ]
    model, plain = made.fit(human.training), Dictionaries(documents, ORDER)
    count, few = float(symbols), int(SHARE * symbols) // LENGTH
    share = few * LENGTH / symbols
    drawing = setting.seconds(count * (LOADS * setting.limits.gather + setting.limits.word))
    facts = {"repeats": setting.repeats, "count": count, "unit": "character"}
    yield from race(
        "ngram_generation",
        f"{symbols:,} characters written by a model of as many, order {ORDER}",
        lambda: model.write(symbols, LENGTH, 2, 0, 1),
        [Peer("plain Python dictionaries", lambda: plain.write(few, LENGTH, 1), 40.0, share)],
        limit=drawing,
        limit_of="two loads and 64 bits",
        label="n-grams, write",
        **facts,
    )
    generations = 4
    card = lc.Scenario(made.source, made.family, sample_size=symbols, generations=generations)

    def dictionaries() -> None:
        some = documents[: max(1, int(SHARE * len(documents)))]
        fitted = Dictionaries(some, ORDER)
        fitted.score(held_out[: max(1, int(SHARE * len(held_out)))])
        wrote = fitted.write(len(some), LENGTH, 1)
        for n in (1, 2, 3, 4):
            len({document[i : i + n] for document in wrote for i in range(len(document) - n + 1)})

    lc.run(card, seed=1, replicates=1, jobs=1)
    facts |= {"count": count * generations}
    yield from race(
        "ngram_generation",
        f"{symbols:,} characters x {generations} generations, order {ORDER}; every metric",
        lambda: lc.run(card, seed=1, replicates=1, jobs=1),
        [Peer("plain Python dictionaries", dictionaries, 35.0, SHARE / generations)],
        limit=generations * (drawing + setting.seconds(2 * count * setting.limits.sort)),
        limit_of="two sorts, a draw",
        label="n-grams, a generation",
        note="dictionaries: fit, score held-out text, write, count n-grams; ours measures 18 metrics",
        **facts,
    )


def _decoded(made: object, begin: int, size: int, held: bool = False) -> str:
    human = made.human  # type: ignore[attr-defined]
    part = human.held_out if held else human.training
    return str(human.decode(part[begin : begin + size]))
