"""scipy's special functions, without the rest of `scipy.special`.

The functions themselves are compiled ufuncs that load in 50 ms. The package around them wraps each for other array
libraries and writes its documentation anew, which takes four times as long and is more than a short run takes.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_PACKAGE = "scipy.special"


def _ufuncs() -> Any:
    """The module of ufuncs, loaded with an empty package in the place of its own; `scipy.special` where that fails."""
    if _PACKAGE in sys.modules:
        return import_module(_PACKAGE)
    scipy = import_module("scipy")
    place = ModuleType(_PACKAGE)
    place.__path__ = [str(Path(str(scipy.__file__)).parent / "special")]
    sys.modules[_PACKAGE] = place
    try:
        found = import_module(f"{_PACKAGE}._ufuncs")
    except (ImportError, AttributeError):
        found = None
    finally:
        del sys.modules[_PACKAGE]  # whoever asks for the package gets the whole of it, with these very ufuncs
    return import_module(_PACKAGE) if found is None else found


_FOUND = _ufuncs()


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_FOUND, name) if hasattr(_FOUND, name) else getattr(import_module(_PACKAGE), name)


digamma: Any = _FOUND.psi
if hasattr(_FOUND, "_zeta") and hasattr(_FOUND, "_riemann_zeta"):

    def zeta(x: Any, q: Any = None) -> Any:
        """Riemann's zeta function of x, or Hurwitz's of x and q."""
        return _FOUND._riemann_zeta(x) if q is None else _FOUND._zeta(x, q)

else:
    zeta = import_module(_PACKAGE).zeta


def polygamma(order: int, x: Any) -> Any:
    """Derivative of that order, at least 1, of the digamma function."""
    return np.asarray((-1.0) ** (order + 1) * _FOUND.gamma(order + 1.0) * zeta(order + 1, np.asarray(x)))


def logsumexp(logs: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """log of the sum of exp(logs), free of overflow; -inf where nothing is to be added."""
    most = np.max(logs, axis=axis, keepdims=True)
    most = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):
        sums = np.log(np.sum(np.exp(logs - most), axis=axis, keepdims=True)) + most
    return sums if keepdims else np.squeeze(sums, axis=axis)
