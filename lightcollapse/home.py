"""Where the package keeps what it need not make twice."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def cache_home() -> Path:
    """The folder of compiled kernels and of the last trial of the theorems: LIGHTCOLLAPSE_CACHE_DIR, else the user's
    cache folder.
    """
    named = os.environ.get("LIGHTCOLLAPSE_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "lightcollapse"
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "lightcollapse"
