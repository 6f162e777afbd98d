"""Numba's flags, once, each with its reason; and a disk cache that notices an edit in any kernel.

Numba keys its cache by the file of the kernel alone: a cached kernel would keep an old helper from another file. The
cache directory is therefore named by a hash of all kernel sources.
"""

from __future__ import annotations

import functools
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from lightcollapse.home import cache_home

Kernel = Callable[..., Any]

_FLAGS: dict[str, Any] = {
    "nogil": True,  # blocks of replicates run on threads
    "error_model": "numpy",  # the branch for division by zero would stop vectorisation
}  # no fastmath: infinities matter, and bits must repeat


@functools.cache
def cache_directory() -> Path | None:
    """Directory of the compiled kernels of these very sources, or None where it cannot be written."""
    package = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in [Path(__file__), *sorted((package / "kernels").glob("*.py"))]:
        digest.update(path.read_bytes())
    directory = cache_home() / f"kernels-{digest.hexdigest()[:16]}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return directory
    except OSError:
        return None  # a container or a read-only home: kernels are compiled anew in each process


def _compile(function: Kernel, **flags: Any) -> Kernel:
    directory = cache_directory()
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(directory or "")
    try:
        compiled: Kernel = numba.njit(cache=directory is not None, **_FLAGS, **flags)(function)
    finally:
        config.CACHE_DIR = before
    return compiled


def kernel(function: Kernel) -> Kernel:
    """A kernel: compiled at its first call, cached on disk; the plain function stays at `.py_func`."""
    return _compile(function)


def inlined(function: Kernel) -> Kernel:
    """A helper forced into the body of its caller: a plain call in an inner loop stops vectorisation."""
    return _compile(function, forceinline=True)
