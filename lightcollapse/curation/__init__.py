"""Curation: what happens to synthetic data between sampling and training.

To add one: a file beside this, and a line in CURATIONS.
"""

from __future__ import annotations

from lightcollapse.curation.base import COSTS, Curation, Stage, metrics_of, refuse_curation
from lightcollapse.curation.decoding import Decoding
from lightcollapse.curation.detector import Detector
from lightcollapse.curation.discriminator import Discriminator
from lightcollapse.curation.noise import Noise
from lightcollapse.curation.preference import Preference
from lightcollapse.curation.score import Quadratic
from lightcollapse.curation.top_fraction import TopFraction
from lightcollapse.curation.verifier import Verifier

CURATIONS: tuple[type[Curation], ...] = (
    Decoding,
    Noise,
    TopFraction,
    Preference,
    Verifier,
    Discriminator,
    Detector,
)

__all__ = [
    "COSTS",
    "CURATIONS",
    "Curation",
    "Decoding",
    "Detector",
    "Discriminator",
    "Noise",
    "Preference",
    "Quadratic",
    "Stage",
    "TopFraction",
    "Verifier",
    "metrics_of",
    "refuse_curation",
]
