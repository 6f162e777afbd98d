"""The user's own generations of text: reading, counting, measuring."""

from __future__ import annotations

from lightcollapse.text.measuring import Measurement, Row, measure
from lightcollapse.text.tables import Tables, tabulate

__all__ = ["Measurement", "Row", "Tables", "measure", "tabulate"]
