"""Curations: what happens to synthetic data between sampling and training.

To add one: a file beside this, and a line in CURATIONS.
"""

from __future__ import annotations

from lightcollapse.part import Part


class Curation(Part, frozen=True):
    """One step between sampling and training: one part of a card."""


CURATIONS: tuple[type[Curation], ...] = ()

__all__ = ["CURATIONS", "Curation"]
