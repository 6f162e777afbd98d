"""The machine code of hot kernels: vectorised where it should be, with registers as wide as the processor has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite import binding

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
FEATURES = binding.get_host_cpu_features()

TOLD = """
import numba
{before}
from lightcollapse import compiler
from lightcollapse.kernels import rng
rng.philox.dispatcher
from numba.core.registry import cpu_target
print(numba.config.CPU_FEATURES, compiler.cache_directory().name, cpu_target.target_context.codegen()._tm_features)
"""


def told(before: str = "", **environment: str) -> tuple[str, str, str]:
    """numba's setting after a kernel was made, the name of their cache, and the features that compile them."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    script = TOLD.format(before=before)
    done = subprocess.run(
        [sys.executable, "-c", script], env=plain | environment, check=True, capture_output=True, text=True
    )
    setting, cache, features = done.stdout.split()
    return setting, cache, features


@pytest.mark.skipif(not FEATURES.get("avx512dq"), reason="a processor without AVX-512")
def test_whole_registers_are_used_and_the_users_settings_stand() -> None:
    setting, cache, features = told()
    assert setting == "None"  # the program's own numba finds its settings as they were
    assert features.endswith(",-prefer-256-bit")
    own, other, asked = told(NUMBA_CPU_FEATURES="+avx2")
    assert (own, asked) == ("+avx2", "+avx2")
    assert other != cache
    assert "prefer" not in told(NUMBA_ENABLE_AVX="0")[2]
    late = "from numba.core.registry import cpu_target; cpu_target.target_context"
    assert "prefer" not in told(late)[2]


# --- Inner loops ---------------------------------------------------------------------------------------------------

HOT = """
import json, sys
import numba
from numba import float64, int64, uint64, boolean, types
from lightcollapse.kernels import gaussian, mixture, multivariate, points, poisson, symbols
line, plane, cube = (types.Array(float64, n, "C") for n in (1, 2, 3))
numbers = types.Array(uint64, 1, "C")
key = (uint64, uint64)
places = types.Array(uint64, 2, "C")
work = types.Tuple((plane, places, line, line))
if sys.argv[1:] == ["a call"]:
    from math import log
    @numba.njit(error_model="numpy")
    def rolled(x):
        for i in range(len(x)):
            x[i] = log(x[i])
    hot = {"rolled": (rolled, (line,))}
else:
    hot = {
        "normals of lanes": (gaussian._fill, (plane, int64, uint64, uint64, uint64, int64, *key, places)),
        "sums of lanes": (gaussian._statistics, (int64, uint64, uint64, numbers, *key, line, line, work)),
        "a step of the recursion": (gaussian._fit_last, (plane, float64, plane, plane)),
        "kept normals": (points.fill_normals, (plane, int64, uint64, numbers, numbers, *key)),
        "normals of dimensions": (multivariate.standard, (line, int64, uint64, uint64, uint64, uint64, *key)),
        "measures of symbols": (symbols._pass, (line, line, line, int64, int64, line, int64)),
        "bits of Poisson counts": (poisson._bits, (line, line, int64, *[uint64] * 4, *key)),
        "products": (multivariate.add_products, (line, int64, int64, int64, line)),
        "EM": (mixture.expect, (cube, plane, boolean, int64, boolean, line, plane, cube, plane, *[line] * 3, plane)),
    }
code = {}
for name, (kernel, signature) in hot.items():
    kernel.compile(signature)
    made = kernel.signatures[0]
    code[name] = kernel.inspect_asm(made) + kernel.inspect_llvm(made)
print(json.dumps(code))
"""


def machine_code(directory: Path, *asked: str) -> dict[str, str]:
    """Assembler and LLVM code of hot kernels, compiled anew: what comes from a cache cannot be looked at."""
    done = subprocess.run(
        [sys.executable, "-c", HOT, *asked],
        env=os.environ | {"LIGHTCOLLAPSE_CACHE_DIR": str(directory)},
        check=True,
        capture_output=True,
        text=True,
    )
    code: dict[str, str] = json.loads(done.stdout)
    return code


def inner_loops(code: str) -> list[list[str]]:
    """Instructions of the loops that hold no other loop."""
    lines = [line.strip() for line in code.splitlines()]
    labels = {found[1]: at for at, line in enumerate(lines) if (found := re.match(r"(\.?L\w+):", line))}
    loops = [
        (labels[found[1]], at)
        for at, line in enumerate(lines)
        if (found := re.match(r"j\w+\s+(\.?L\w+)", line)) and labels.get(found[1], at) < at
    ]
    inner = [
        (start, end)
        for start, end in loops
        if not any((a, b) != (start, end) and start <= a and b <= end for a, b in loops)
    ]
    return [[line for line in lines[start : end + 1] if re.match("[a-z]", line)] for start, end in inner]


def vectors(loop: list[str]) -> int:
    """Instructions that work on whole vectors of floats or of integers."""
    width = "zmm" if FEATURES.get("avx512dq") else "ymm"
    return sum(1 for line in loop if width in line and re.match(r"v\w+(pd|pq|q|dq|dqu64|dqa64)\b", line))


# How many inner loops of each kernel must be vectors, and what they do: the arithmetic that a scalar copy lacks.
VECTORISED = {
    "normals of lanes": {"vpmuludq": 1, "vsqrtpd": 1, "vdivpd": 1},
    "sums of lanes": {"vpmuludq": 2, "vsqrtpd": 1, "vdivpd": 2},
    "a step of the recursion": {"vdivpd": 1},
    "kept normals": {"vpmuludq": 1, "vsqrtpd": 1},
    "normals of dimensions": {"vpmuludq": 1, "vsqrtpd": 1},
    "measures of symbols": {"vdivpd": 1, "vmulpd": 1},
    "bits of Poisson counts": {"vpmuludq": 1},
    "products": {"vfmadd": 1},
    "EM": {"vmaxpd": 1, "vpsllq": 1, "vmulpd": 3, "vfmadd": 3},
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return machine_code(tmp_path_factory.mktemp("code"))


@pytest.mark.skipif(not FEATURES.get("avx2"), reason="a processor without AVX2")
@pytest.mark.parametrize("kernel", VECTORISED)
def test_inner_loops_are_vectors(kernel: str, compiled: dict[str, str]) -> None:
    loops = [loop for loop in inner_loops(compiled[kernel]) if vectors(loop) > 2]
    for instruction, least in VECTORISED[kernel].items():
        found = sum(1 for loop in loops if any(line.startswith(instruction) for line in loop))
        assert found >= least, f"{instruction} in {found} of the inner loops"


@pytest.mark.skipif(not FEATURES.get("avx2"), reason="a processor without AVX2")
def test_a_loop_that_calls_is_no_vector(tmp_path: Path) -> None:
    """What this file looks for is not found where the library's logarithm is called."""
    code = machine_code(tmp_path, "a call")["rolled"]
    assert inner_loops(code)
    assert not [loop for loop in inner_loops(code) if vectors(loop) > 2]
