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
from llvmlite import binding
from numba.core.registry import cpu_target

from lightcollapse.home import cache_home

Kernel = Callable[..., Any]

_FLAGS: dict[str, Any] = {
    "nogil": True,  # blocks of replicates run on threads
    "error_model": "numpy",  # the branch for division by zero would stop vectorisation
    "no_cfunc_wrapper": True,  # nothing outside Python calls a kernel
}  # no fastmath: infinities matter, and bits must repeat


@functools.cache
def cache_directory() -> Path | None:
    """Directory of the compiled kernels of these very sources, or None where it cannot be written."""
    package = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    digest.update(_features().encode())
    for path in [Path(__file__), *sorted((package / "kernels").glob("*.py"))]:
        digest.update(path.read_bytes())
    directory = cache_home() / f"kernels-{digest.hexdigest()[:16]}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return directory
    except OSError:
        return None  # a container or a read-only home: kernels are compiled anew in each process


@functools.cache
def _features() -> str:
    """What numba is told of the processor: nothing ("") but where it would use half of a vector register.

    LLVM holds 512 bits to be slow on Intel's processors and uses 256; these kernels are 1.3 times as fast with all of
    them, with the same bits. What a user tells numba (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES) stands.
    """
    config: Any = numba.config
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None or not config.ENABLE_AVX:
        return ""
    found = binding.get_host_cpu_features()
    return f"{found.flatten()},-prefer-256-bit" if found.get("avx512f") and found.get("avx512dq") else ""


@functools.cache
def tell_numba() -> None:
    """Make numba's code generator with these features; where a program has made it before, it stays as it is."""
    config: Any = numba.config
    before = config.CPU_FEATURES
    config.CPU_FEATURES = _features() or before
    try:
        cpu_target.target_context.codegen()
    finally:
        config.CPU_FEATURES = before


def _compile(function: Kernel, **flags: Any) -> Kernel:
    tell_numba()
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


def borrowing(function: Kernel) -> Kernel:
    """A kernel that makes no arrays, and no references to those that it is given but views of them: it is compiled
    without counts of references, which are atomic and cost 5 ns each.
    """
    return _compile(function, _nrt=False)


def inlined(function: Kernel) -> Kernel:
    """A helper forced into the body of its caller: a plain call in an inner loop stops vectorisation."""
    return _compile(function, forceinline=True)
