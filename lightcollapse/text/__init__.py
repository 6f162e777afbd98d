"""The user's own generations of text: reading, counting, measuring."""

from __future__ import annotations

from lightcollapse.text.measuring import Measurement, Row, measure

__all__ = ["Measurement", "Row", "measure"]
