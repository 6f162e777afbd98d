"""Families: what is fitted and sampled. To add one: a file beside this, and a line in FAMILIES."""

from __future__ import annotations

from lightcollapse.families.base import Block, Family, Simulation
from lightcollapse.families.categorical import Categorical
from lightcollapse.families.gaussian import Gaussian
from lightcollapse.families.ngram import NGram

FAMILIES: tuple[type[Family], ...] = (
    Gaussian,
    Categorical,
    NGram,
)

__all__ = ["FAMILIES", "Block", "Categorical", "Family", "Gaussian", "NGram", "Simulation"]
