"""Compiled kernels called without numba: their machine code is kept in files of its own, and loaded by llvmlite alone.

Importing numba takes longer than a small run. Whatever is not as it was kept (arguments of another type, a symbol that
this process lacks, a file that cannot be read) is left to numba; the machine code is the very one that numba calls.
"""

from __future__ import annotations

import ctypes
import functools
import pickle
import platform
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lightcollapse.replacing import replacing

Unpack = Callable[[Any, list[Any]], bool]  # appends the words that an argument is passed as; False where it is another

# Letters of a scalar among packed words, type of LLVM, type of a result, and the types of Python that are passed as it.
_SCALARS: dict[str, tuple[str, str, Any, tuple[type, ...]]] = {
    "bool": ("?7x", "i8", ctypes.c_bool, (bool, np.bool_)),
    "int64": ("q", "i64", ctypes.c_int64, (int, np.int64)),
    "uint64": ("Q", "i64", ctypes.c_uint64, (np.uint64,)),
    "float64": ("d", "double", ctypes.c_double, (float, np.float64)),
}
_ITEMS = {"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"}
_UNCALLED = (  # but by the door for Python
    "NRT_adapt_ndarray_from_python",
    "numba_adapt_ndarray",
    "numba_do_raise",
    "numba_runtime_build_excinfo_struct",
    "numba_unpickle",
)
# Memory of arrays made inside a kernel: a header of six words, the fourth of which points to the data. And the strides
# of another shape of a whole array in C's order, the only one that kernels reshape.
_MEMORY = """
declare ptr @malloc(i64)
declare void @free(ptr)
declare void @abort()
define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) {
  %wide = zext i32 %align to i64
  %room = add i64 %wide, 48
  %all = add i64 %size, %room
  %start = call ptr @malloc(i64 %all)
  %none = icmp eq ptr %start, null
  br i1 %none, label %end, label %fill
fill:
  %address = ptrtoint ptr %start to i64
  %past = add i64 %address, %room
  %over = urem i64 %past, %wide
  %data = sub i64 %past, %over
  store i64 1, ptr %start
  %dtor = getelementptr i64, ptr %start, i64 1
  store i64 0, ptr %dtor
  %told = getelementptr i64, ptr %start, i64 2
  store i64 0, ptr %told
  %where = getelementptr i64, ptr %start, i64 3
  store i64 %data, ptr %where
  %length = getelementptr i64, ptr %start, i64 4
  store i64 %size, ptr %length
  %others = getelementptr i64, ptr %start, i64 5
  store i64 0, ptr %others
  br label %end
end:
  ret ptr %start
}
define void @NRT_MemInfo_call_dtor(ptr %start) {
  call void @free(ptr %start)
  ret void
}
define void @NRT_Free(ptr %start) {
  call void @free(ptr %start)
  ret void
}
define i32 @numba_attempt_nocopy_reshape(
    i64 %axes, ptr %shape, ptr %strides, i64 %count, ptr %wanted, ptr %out, i64 %item, i32 %fortran) {
  %other = icmp ne i32 %fortran, 0
  br i1 %other, label %no, label %axis
axis:
  %i = phi i64 [ %axes, %0 ], [ %j, %next ]
  %expected = phi i64 [ %item, %0 ], [ %outer, %next ]
  %seen = icmp eq i64 %i, 0
  br i1 %seen, label %fill, label %next
next:
  %j = sub i64 %i, 1
  %stride_at = getelementptr i64, ptr %strides, i64 %j
  %stride = load i64, ptr %stride_at
  %size_at = getelementptr i64, ptr %shape, i64 %j
  %size = load i64, ptr %size_at
  %outer = mul i64 %expected, %size
  %whole = icmp eq i64 %stride, %expected
  br i1 %whole, label %axis, label %no
no:
  ret i32 0
fill:
  %k = phi i64 [ %count, %axis ], [ %l, %write ]
  %step = phi i64 [ %item, %axis ], [ %wider, %write ]
  %filled = icmp eq i64 %k, 0
  br i1 %filled, label %yes, label %write
write:
  %l = sub i64 %k, 1
  %out_at = getelementptr i64, ptr %out, i64 %l
  store i64 %step, ptr %out_at
  %wanted_at = getelementptr i64, ptr %wanted, i64 %l
  %length = load i64, ptr %wanted_at
  %wider = mul i64 %step, %length
  br label %fill
yes:
  ret i32 1
}
""" + "".join(f"define void @{name}() {{\n  call void @abort()\n  unreachable\n}}\n" for name in _UNCALLED)
_MADE = {"NRT_MemInfo_alloc_aligned", "NRT_MemInfo_call_dtor", "NRT_Free", "numba_attempt_nocopy_reshape", *_UNCALLED}
_LIBRARY = (
    "malloc",
    "free",
    "abort",
    "memcpy",
    "memset",
    "memmove",
    "exp",
    "log",
    "pow",
    "sin",
    "cos",
    "floor",
    "ceil",
)


def _possible() -> bool:
    """Whether a kernel is called as C would be; so it is known to be here, and tested."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


class Kept(NamedTuple):
    """A kernel as it is kept: types of arguments and result, what it calls, its object file, and that of its door."""

    door: str
    arguments: tuple[Any, ...]
    result: str
    needs: tuple[str, ...]
    codes: tuple[bytes, ...]


def keep(path: Path, dispatcher: Any) -> None:
    """Keep the machine code of a dispatcher of numba that was called, if it is of a kind that can be loaded."""
    if not _possible():
        return
    from llvmlite import binding

    with suppress(Exception):  # numba's inner parts: where they are others, or nothing can be written, nothing is kept
        (compiled,) = dispatcher.overloads.values()
        library = compiled.library
        module = library._get_module_for_linking()
        needs = {part.name for part in (*module.functions, *module.global_variables) if part.is_declaration}
        needs = {name for name in needs if not name.startswith("llvm.")} - _MADE
        arguments = tuple(map(_told, compiled.fndesc.argtypes))
        result = str(compiled.fndesc.restype)
        if (result != "none" and result not in _SCALARS) or any(name.startswith(("NRT_", "numba_")) for name in needs):
            return
        made, symbol = library._codegen._tm.emit_object, compiled.fndesc.llvm_func_name
        door = binding.parse_assembly(_door(symbol, arguments))
        door.triple = module.triple
        codes = library._compiled_object or made(module), made(door)
        kept = Kept(f"door.{symbol}", arguments, result, tuple(sorted(needs)), codes)
        with replacing(path) as temporary:
            temporary.write_bytes(pickle.dumps(tuple(kept)))


def _told(kind: Any) -> Any:
    """A type of numba as plain data. Raises ValueError where arguments of it are not passed on."""
    name = str(kind)
    if name in _SCALARS:
        return name
    if hasattr(kind, "layout") and kind.layout == "C" and kind.mutable and kind.aligned and str(kind.dtype) in _ITEMS:
        return str(kind.dtype), kind.ndim
    if hasattr(kind, "types"):
        return [_told(part) for part in kind.types]
    raise ValueError(name)


def load(path: Path) -> Callable[..., Any] | None:
    """The kernel kept there, None where there is none that can be loaded.

    Called with arguments of other types it returns NotImplemented, and has done nothing. One thread at a time loads.
    """
    if not _possible():
        return None
    try:
        kept = Kept(*pickle.loads(path.read_bytes()))
    except OSError:
        return None
    except Exception:  # a file that somebody else wrote
        return None
    engine = _engine()
    from llvmlite import binding

    if any(binding.address_of_symbol(name) is None for name in (*_LIBRARY, *kept.needs)):
        return None  # LLVM would end the process
    for code in kept.codes:
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(kept.door)
    return _callable(address, kept) if address else None


@functools.cache
def _engine() -> Any:
    """LLVM's loader, with the memory of arrays."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    return binding.create_mcjit_compiler(binding.parse_assembly(_MEMORY), machine)


def _door(symbol: str, arguments: Sequence[Any]) -> str:
    """A function of LLVM that calls a kernel with arguments that lie side by side as words of 64 bits."""
    types = [one for kind in arguments for one in _types(kind)]
    lines = [f"declare i32 @{symbol}(ptr, ptr, {', '.join(types)})"]
    lines.append(f"define i32 @door.{symbol}(ptr %result, ptr %raised, ptr %words) {{")
    for at, kind in enumerate(types):
        lines.append(f"  %at{at} = getelementptr i64, ptr %words, i64 {at}")
        lines.append(f"  %word{at} = load {kind}, ptr %at{at}")  # of a truth its lowest byte
    passed = ", ".join(f"{kind} %word{at}" for at, kind in enumerate(types))
    lines.append(f"  %status = call i32 @{symbol}(ptr %result, ptr %raised, {passed})")
    return "\n".join([*lines, "  ret i32 %status", "}"])


def _types(kind: Any) -> list[str]:
    """Types of LLVM of the words of an argument."""
    if isinstance(kind, str):
        return [_SCALARS[kind][1]]
    if isinstance(kind, list):
        return [one for part in kind for one in _types(part)]
    return ["i64"] * (5 + 2 * int(kind[1]))


def _letters(kind: Any) -> str:
    """Letters of the words of an argument, as `struct` packs them."""
    if isinstance(kind, str):
        return _SCALARS[kind][0]
    return "".join(map(_letters, kind)) if isinstance(kind, list) else "q" * (5 + 2 * int(kind[1]))


def _callable(address: int, kept: Kept) -> Callable[..., Any]:
    """A function of Python that calls the code; ctypes releases the lock of the interpreter meanwhile."""
    parts = [_unpacker(kind) for kind in kept.arguments]
    pack = struct.Struct("=" + "".join(map(_letters, kept.arguments))).pack
    holder = ctypes.c_void_p if kept.result == "none" else _SCALARS[kept.result][2]
    door = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(address)

    def call(*arguments: Any) -> Any:
        if len(arguments) != len(parts):
            return NotImplemented
        words: list[Any] = []
        for part, argument in zip(parts, arguments, strict=True):
            if not part(argument, words):
                return NotImplemented
        result, raised = holder(), ctypes.c_void_p()
        if door(ctypes.addressof(result), ctypes.addressof(raised), pack(*words)):
            raise MemoryError("a kernel cannot have the memory that it needs")
        return None if kept.result == "none" else result.value

    return call


def _unpacker(kind: Any) -> Unpack:
    """How an argument of a type is passed."""
    if isinstance(kind, str):
        return functools.partial(_scalar, _SCALARS[kind][3], kind == "int64")
    if isinstance(kind, list):
        return functools.partial(_tuple, [_unpacker(part) for part in kind])
    return functools.partial(_array, np.dtype(kind[0]), kind[1])


def _scalar(types: tuple[type, ...], whole: bool, value: Any, words: list[Any]) -> bool:
    if type(value) not in types or (whole and not -(2**63) <= value < 2**63):
        return False
    words.append(value)
    return True


def _tuple(parts: Sequence[Unpack], value: Any, words: list[Any]) -> bool:
    if not isinstance(value, tuple) or len(value) != len(parts):
        return False
    return all(part(one, words) for part, one in zip(parts, value, strict=True))


def _array(item: np.dtype[Any], dimensions: int, value: Any, words: list[Any]) -> bool:
    if type(value) is not np.ndarray or value.dtype != item or value.ndim != dimensions or not value.flags.carray:
        return False
    # what value.ctypes.data is, in a third of its time
    address = ctypes.addressof(ctypes.c_char.from_buffer(value.data)) if value.size else 0
    words += (0, 0, value.size, item.itemsize, address, *value.shape, *value.strides)
    return True
