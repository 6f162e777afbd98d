"""Counting and fitting an n-gram model of characters, against KenLM's lmplz."""

from __future__ import annotations

from collections.abc import Iterator

from . import kenlm_peer, text
from .race import Peer, Row, race
from .setting import Setting

ORDER, SMALL, LARGE = 5, 800_000, 8_000_000


def rows(setting: Setting) -> Iterator[Row]:
    lacking = kenlm_peer.missing_lmplz()
    for what, corpus, goal in (
        ("docstrings", text.prose(setting.size(SMALL, 100_000)), 12.0),
        ("sources", text.sources(setting.size(LARGE, 400_000)), 7.0),
    ):
        made = text.simulation(corpus, ORDER, "modified-kneser-ney")
        path = text.SCRATCH / f"{what}.txt"
        path.write_text(kenlm_peer.spaced(made.human.decode(made.human.training[made.human.training != 0])))
        characters = float(made.human.size)
        yield from race(
            "ngram_fit",
            f"{int(characters):,} characters of {what}, order {ORDER}, modified Kneser-Ney",
            lambda made=made: made.fit(made.human.training),  # type: ignore[misc]
            [Peer("KenLM lmplz", None if lacking else lambda path=path: kenlm_peer.fit(path, ORDER), goal,  # type: ignore[misc]
                  missing=lacking)],
            repeats=setting.repeats,
            count=characters,
            unit="character",
            limit=setting.seconds(characters * setting.limits.sort),
            limit_of="one sort of 64-bit keys",
            label=f"n-grams, fit {what}",
            note="lmplz: processor time of its process, ARPA thrown away",
        )  # fmt: skip
