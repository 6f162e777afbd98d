"""Regimes: what the next training set holds. To add one: a file beside this, and a line in REGIMES."""

from __future__ import annotations

from lightcollapse.regimes.accumulate import Accumulate
from lightcollapse.regimes.accumulate_subsample import AccumulateSubsample
from lightcollapse.regimes.base import Regime
from lightcollapse.regimes.fixed_real import FixedReal
from lightcollapse.regimes.fresh_fraction import FreshFraction
from lightcollapse.regimes.replace import Replace
from lightcollapse.regimes.window import Window

REGIMES: tuple[type[Regime], ...] = (
    Replace,
    Accumulate,
    AccumulateSubsample,
    FreshFraction,
    FixedReal,
    Window,
)

__all__ = ["REGIMES", "Accumulate", "AccumulateSubsample", "FixedReal", "FreshFraction", "Regime", "Replace", "Window"]
