"""What all tests share: hypothesis's one profile, and the summary of the error budget."""

from __future__ import annotations

from budget import pytest_terminal_summary
from hypothesis import settings

settings.register_profile("lightcollapse", deadline=None, derandomize=True)
settings.load_profile("lightcollapse")

__all__ = ["pytest_terminal_summary"]
