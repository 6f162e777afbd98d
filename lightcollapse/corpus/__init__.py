"""Human text: reading it, cutting it into documents and symbols, and parting it into training and held-out text."""

from __future__ import annotations

from lightcollapse.corpus.human import Human, part
from lightcollapse.corpus.padding import pad, runs
from lightcollapse.corpus.reading import Corpus, read, stat
from lightcollapse.corpus.shuffle import permutation, uniforms
from lightcollapse.corpus.units import LEARNED, UNITS

__all__ = ["LEARNED", "UNITS", "Corpus", "Human", "pad", "part", "permutation", "read", "runs", "stat", "uniforms"]
