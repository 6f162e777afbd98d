"""The machine code of hot kernels: vectorised where it should be, with registers as wide as the processor has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from llvmlite import binding

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
FEATURES = binding.get_host_cpu_features()

TOLD = """
import numba
{before}
from lightcollapse import compiler
from lightcollapse.kernels import rng
from numba.core.registry import cpu_target
print(numba.config.CPU_FEATURES, compiler.cache_directory().name, cpu_target.target_context.codegen()._tm_features)
"""


def told(before: str = "", **environment: str) -> tuple[str, str, str]:
    """numba's setting after kernels were loaded, the name of their cache, and the features that compile them."""
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
