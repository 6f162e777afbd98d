"""Regimes: what the next training set holds. To add one: a file beside this, and a line in REGIMES."""

from __future__ import annotations

from lightcollapse.regimes.accumulate import Accumulate
from lightcollapse.regimes.accumulate_subsample import AccumulateSubsample
from lightcollapse.regimes.base import Regime
from lightcollapse.regimes.fixed_real import FixedReal
from lightcollapse.regimes.fresh_fraction import FreshFraction, Trend
from lightcollapse.regimes.islands import Islands
from lightcollapse.regimes.replace import Replace
from lightcollapse.regimes.weighted import Weighted
from lightcollapse.regimes.window import Window

REGIMES: tuple[type[Regime], ...] = (
    Replace,
    Accumulate,
    AccumulateSubsample,
    FreshFraction,
    FixedReal,
    Weighted,
    Window,
    Islands,
)

__all__ = [
    "REGIMES",
    "Accumulate",
    "AccumulateSubsample",
    "FixedReal",
    "FreshFraction",
    "Islands",
    "Regime",
    "Replace",
    "Trend",
    "Weighted",
    "Window",
]
