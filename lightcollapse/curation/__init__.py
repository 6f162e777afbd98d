"""Curation: what happens to synthetic data between sampling and training.

To add one: a file beside this, and a line in CURATIONS.
"""

from __future__ import annotations

from lightcollapse.curation.base import Curation, Stage, metrics_of, refuse_curation

CURATIONS: tuple[type[Curation], ...] = ()

__all__ = ["CURATIONS", "Curation", "Stage", "metrics_of", "refuse_curation"]
