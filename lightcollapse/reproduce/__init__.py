"""Published experiments run again: an item is one TOML file in `items`, a row one published number and ours beside it.

To add a paper: a file in `items`. To add a way to sum up replicates: a function and a line in STATISTICS.
"""

from __future__ import annotations

from lightcollapse.reproduce.item import Item, Number, item_names, load_item
from lightcollapse.reproduce.rows import VERDICTS, Limits, Row, reproduce
from lightcollapse.reproduce.statistics import STATISTICS, Estimate

__all__ = [
    "STATISTICS",
    "VERDICTS",
    "Estimate",
    "Item",
    "Limits",
    "Number",
    "Row",
    "item_names",
    "load_item",
    "reproduce",
]
