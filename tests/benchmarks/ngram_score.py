"""Scoring held-out text, against KenLM's Python module; and whether both find the same perplexity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from lightcollapse.corpus import padding
from lightcollapse.kernels.ngram import Model

from . import kenlm_peer, text
from .race import Peer, Row, race
from .setting import Setting

ORDER = 5
GATHERS = 2  # loads from memory that a symbol needs at the least: its place, and its probability


def rows(setting: Setting) -> Iterator[Row]:
    corpus = text.prose(setting.size(1_200_000, 150_000))
    cut = len(corpus) * 9 // 10
    numbers = {character: i for i, character in enumerate(sorted(set(corpus[:cut])), start=1)}
    symbols = np.array([numbers.get(character, len(numbers) + 1) for character in corpus], dtype=np.int32)
    training, held_out = (padding.pad(part, len(part)) for part in (symbols[:cut], symbols[cut:]))
    model = Model(training, ORDER, len(numbers), "modified-kneser-ney")
    lacking = kenlm_peer.missing_module()
    note, call = "", None
    if not lacking:
        call, theirs = _kenlm(corpus[:cut], corpus[cut:])
        ours = math.exp(-float(model.log_probabilities(held_out).mean()))
        note = f"perplexity {ours:.5f}, KenLM's {theirs:.5f}: {abs(ours / theirs - 1.0):.1e} apart"
    count = float(len(corpus) - cut)
    yield from race(
        "ngram_score",
        f"{int(count):,} characters by a model of {cut:,}, order {ORDER}",
        lambda: model.log_probabilities(held_out),
        [Peer("KenLM's Python module", call, 1.7, missing=lacking)],
        repeats=setting.repeats,
        count=count,
        unit="character",
        limit=setting.seconds(GATHERS * count * setting.limits.gather),
        limit_of="two loads a character",
        label="n-grams, score",
        note=note,
    )


def _kenlm(training: str, held_out: str) -> tuple[Callable[[], float], float]:
    """KenLM's score of the held-out text in one document, and its perplexity."""
    import kenlm

    path, arpa = text.SCRATCH / "training.txt", text.SCRATCH / "model.arpa"
    path.write_text(kenlm_peer.spaced(training))
    kenlm_peer.fit(path, ORDER, str(arpa))
    quiet = kenlm.Config()
    quiet.show_progress, quiet.arpa_complain = False, kenlm.ARPALoadComplain.NONE
    model, line = kenlm.Model(str(arpa), quiet), kenlm_peer.spaced(held_out)

    def score() -> float:
        return float(model.score(line, bos=True, eos=False))

    return score, 10.0 ** (-score() / len(held_out))
