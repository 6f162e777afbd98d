"""Numba's flags, once, each with its reason; and a disk cache that notices an edit in any kernel.

Numba keys its cache by the file of the kernel alone: a cached kernel would keep an old helper from another file. The
cache directory is therefore named by a hash of all kernel sources. Numba is imported when something is compiled.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightcollapse import native
from lightcollapse.home import cache_home

Function = Callable[..., Any]

_BLAS = "scipy.linalg.cython_blas"
_LOOKING = threading.Lock()

_FLAGS: dict[str, Any] = {
    "nogil": True,  # blocks of replicates run on threads
    "error_model": "numpy",  # the branch for division by zero would stop vectorisation
    "no_cfunc_wrapper": True,  # nothing outside Python calls a kernel
}  # no fastmath: infinities matter, and bits must repeat


@functools.cache
def cache_directory() -> Path | None:
    """Directory of the compiled kernels of these very sources, or None where it cannot be written."""
    package = Path(__file__).parent
    digest = hashlib.sha256(_compiler().encode())
    for path in [Path(__file__), Path(native.__file__), *sorted((package / "kernels").glob("*.py"))]:
        digest.update(path.read_bytes())
    directory = cache_home() / f"kernels-{digest.hexdigest()[:16]}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return directory
    except OSError:
        return None  # a container or a read-only home: kernels are compiled anew in each process


def _compiler() -> str:
    """What decides the machine code beside the sources: versions, the processor, and what a user tells numba."""
    from llvmlite import binding

    told = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_") and "CACHE" not in name}
    file = Path(".numba_config.yaml")  # numba reads it in the current directory
    said = [
        version("numba"),
        version("llvmlite"),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
    ]
    return repr((*said, sorted(told.items()), file.read_bytes() if file.is_file() else b""))


def _features() -> str:
    """What numba is told of the processor: nothing ("") but where it would use half of a vector register.

    LLVM holds 512 bits to be slow on Intel's processors and uses 256; these kernels are 1.3 times as fast with all of
    them, with the same bits. What a user tells numba (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES) stands.
    """
    import numba
    from llvmlite import binding

    config: Any = numba.config
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None or not config.ENABLE_AVX:
        return ""
    found = binding.get_host_cpu_features()
    return f"{found.flatten()},-prefer-256-bit" if found.get("avx512f") and found.get("avx512dq") else ""


@functools.cache
def tell_numba() -> None:
    """Make numba's code generator with these features, and have it load what it compiles and links with. Where a
    program has made the generator before, it stays as it is.

    Its linear algebra is left out: it would import scipy.linalg, for a tenth of a second, and no kernel asks for it.
    """
    import numba
    from numba.core.registry import cpu_target

    config: Any = numba.config
    before = config.CPU_FEATURES
    config.CPU_FEATURES = _features() or before
    modules: dict[str, Any] = sys.modules
    wanted = _BLAS not in modules
    try:
        cpu_target.target_context.codegen()
        if wanted:
            modules[_BLAS] = None  # as if scipy were not there
        for context in (cpu_target.typing_context, cpu_target.target_context):
            context.refresh()
    finally:
        config.CPU_FEATURES = before
        if wanted:
            modules.pop(_BLAS, None)


_UNTAUGHT: list[Callable[[], None]] = []


def extension(register: Callable[[], None]) -> Callable[[], None]:
    """Something that numba is taught before the next kernel is compiled."""
    _UNTAUGHT.append(register)
    return register


def _teach() -> None:
    """Teach numba what it was not taught yet."""
    from numba.core.registry import cpu_target

    if not _UNTAUGHT:
        return
    while _UNTAUGHT:
        _UNTAUGHT.pop()()
    for context in (cpu_target.typing_context, cpu_target.target_context):
        context.refresh()


def _is_told() -> bool:
    """Whether numba's code generator has the features that the directory is named by, and so makes the code for it."""
    import numba
    from llvmlite import binding
    from numba.core.registry import cpu_target

    config: Any = numba.config
    wanted = _features() or config.CPU_FEATURES or binding.get_host_cpu_features().flatten()
    return bool(cpu_target.target_context.codegen().magic_tuple()[2] == wanted)


class Kernel:
    """A kernel: compiled at its first call and kept on disk, from where later processes call it without numba.

    What numba's dispatchers have (`signatures`, `compile`, `inspect_asm` and more) it has too, of the dispatcher that
    is made when something is asked of it, or when a kernel that calls it is compiled.

    Attributes:
        py_func: the plain function.
    """

    def __init__(self, function: Function, flags: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._flags = flags
        self._looked = self._kept = False
        self._native: Function | None = None
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if not self._looked:
            self._look()
        if self._native is not None:
            result = self._native(*arguments)
            if result is not NotImplemented:
                return result
        result = self.dispatcher(*arguments)
        if not self._kept:
            self._keep()
        return result

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name != "_numba_type_":  # by which numba knows what a name in a kernel is
            raise AttributeError(name)
        return getattr(self.dispatcher, name)

    @property
    def dispatcher(self) -> Any:
        """Numba's own."""
        if self._dispatcher is None:
            from numba.core.compiler_lock import global_compiler_lock

            with global_compiler_lock:  # blocks on threads ask at once, and a kernel that is being compiled does
                self._dispatcher = self._dispatcher or _compile(self.py_func, self._flags)
        return self._dispatcher

    @property
    def _path(self) -> Path | None:
        directory = cache_directory()
        return None if directory is None else directory / f"{self.__module__}.{self.__name__}.native"

    def _look(self) -> None:
        with _LOOKING:
            if not self._looked:
                self._native = None if self._path is None else native.load(self._path)
                self._looked = True

    def _keep(self) -> None:
        self._kept = True
        if self._native is None and self._path is not None and _is_told():
            native.keep(self._path, self.dispatcher)


def _compile(function: Function, flags: dict[str, Any]) -> Any:
    import numba

    tell_numba()
    _teach()
    directory = cache_directory()
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(directory or "")
    try:
        return numba.njit(cache=directory is not None, **_FLAGS, **flags)(function)
    finally:
        config.CACHE_DIR = before


def _made(function: Function, **flags: Any) -> Any:
    """A kernel, or the function itself where the user wants nothing compiled."""
    return function if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else Kernel(function, flags)


def kernel(function: Function) -> Any:
    """A kernel: compiled at its first call, cached on disk; the plain function stays at `.py_func`."""
    return _made(function)


def borrowing(function: Function) -> Any:
    """A kernel that makes no arrays, and no references to those that it is given but views of them: it is compiled
    without counts of references, which are atomic and cost 5 ns each.
    """
    return _made(function, _nrt=False)


def inlined(function: Function) -> Any:
    """A helper forced into the body of its caller: a plain call in an inner loop stops vectorisation."""
    return _made(function, forceinline=True)


def lent(function: Function) -> Any:
    """A helper forced into the body of its caller that makes no arrays: compiled without counts of references too."""
    return _made(function, forceinline=True, _nrt=False)


def mark(kind: str) -> Path | None:
    """The file that says that the kernels of a family were compiled and kept; None where nothing can be kept."""
    directory = cache_directory()
    return None if directory is None else directory / f"{kind}.compiled"


def note(kind: str) -> None:
    """Make that file."""
    found = mark(kind)
    if found is not None:
        with contextlib.suppress(OSError):
            found.touch()
