"""What all tests share: hypothesis's one profile, the summary of the error budget, and a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from budget import pytest_terminal_summary
from hypothesis import settings

settings.register_profile("lightcollapse", deadline=None, derandomize=True)
settings.load_profile("lightcollapse")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Coverage of the kernels: NUMBA_DISABLE_JIT=1 coverage run -m pytest -n0 -m "not slow_without_jit".

    Pictures are compared wherever pytest-mpl is installed: pytest tests/test_figures.py
    --mpl-generate-path="$PWD/tests/pictures" makes them anew.
    """
    config.addinivalue_line("markers", "slow_without_jit: takes minutes where kernels are not compiled")
    config.addinivalue_line("markers", "mpl_image_compare: the figure returned looks as its picture does")
    if hasattr(config.option, "mpl"):
        config.option.mpl = True


__all__ = ["pytest_terminal_summary"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in an empty folder, so that none can write among the runs of whoever starts it."""
    monkeypatch.chdir(tmp_path)
