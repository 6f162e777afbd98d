"""Values of eight and of thirty-two numbers: compiled or not, each operation gives the bits of NumPy's."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcollapse.compiler import kernel
from lightcollapse.kernels import rng
from lightcollapse.kernels.normals import (
    box_muller,
    logs_of,
    normals_and_pairs,
    pairs_of,
    powers_of_two,
    uniforms_of,
)
from lightcollapse.kernels.vectors import (
    MANY,
    as_numbers,
    as_words,
    chosen,
    eight,
    fused,
    keep,
    larger,
    load,
    load_many,
    many,
    room,
    root,
    signed,
    store,
    sum_of,
    upwards,
    weave,
)

U = np.uint64


def plain(function: Any) -> Any:
    """The function as NumPy runs it."""
    return getattr(function, "py_func", function)


def test_eight_numbers_are_eight_numbers() -> None:
    x = np.random.default_rng(1).normal(size=24)
    compiled, uncompiled = np.zeros(24), np.zeros(24)
    eight_of(x, compiled)
    plain(eight_of)(x, uncompiled)
    a, b = x[:8], x[9:17]
    np.testing.assert_array_equal(compiled[:8], np.where(a > b, np.copysign(np.sqrt(a * a), b), a / b - (a + 2.0 * b)))
    np.testing.assert_array_equal(compiled, uncompiled)


@kernel
def eight_of(x: Any, out: Any) -> None:
    a, b = load(x, 0), load(x, 9)
    store(out, 0, larger(a, b, signed(root(a * a), b), a / b - (a + eight(2.0) * b)))


def test_thirty_two_numbers_are_thirty_two_numbers() -> None:
    x = np.random.default_rng(1).normal(size=(2, 40))
    words = np.random.default_rng(2).integers(0, 2**63, size=40).astype(U)
    out, uncompiled = np.zeros((3, MANY)), np.zeros((3, MANY))
    many_of(x, words, out)
    plain(many_of)(x, words, uncompiled)
    a, b, w = x.reshape(-1)[3 : 3 + MANY], x.reshape(-1)[41 : 41 + MANY], words[5 : 5 + MANY]
    np.testing.assert_array_equal(
        out[0], np.where(w & U(1), np.where(a > b, a, b) - 0.5, np.sqrt(a * a) / b - (2.0 * a + b))
    )
    np.testing.assert_array_equal(out[1].view(U), a.view(U) ^ ((w >> U(3)) | (U(1) << U(62))))
    np.testing.assert_array_equal(out[2].view(U), (U(3) * w - (w << U(2))) + np.arange(7, 7 + MANY, dtype=U))
    np.testing.assert_array_equal(out.view(U), uncompiled.view(U))


@kernel
def many_of(x: Any, words: Any, out: Any) -> None:
    a, b, w = load_many(x, 3), load_many(x, 41), load_many(words, 5)
    keep(out, 0, chosen(w & U(1), larger(a, b, a, b) - 0.5, root(a * a) / b - (2.0 * a + b)), MANY)
    keep(out, MANY, as_numbers(as_words(a) ^ ((w >> U(3)) | (many(U(1)) << U(62)))), MANY)
    keep(out, 2 * MANY, as_numbers((U(3) * w - (w << U(2))) + upwards(U(7))), MANY)


@pytest.mark.parametrize("count", [-1, 0, 1, 31, 32, 33, 63, 64, 65])
def test_what_is_not_asked_for_is_not_written(count: int) -> None:
    one, other = np.arange(MANY) + 1.0, -np.arange(MANY) - 1.0
    woven = np.stack((one, other), axis=1).reshape(-1)
    for function in (written, plain(written)):
        kept, both = np.zeros(80), np.zeros((2, 40))
        function(one, other, kept, both, count)
        np.testing.assert_array_equal(kept[8 : 8 + max(count, 0)], one[: max(count, 0)].tolist() + [0.0] * (count - 32))
        np.testing.assert_array_equal(both.reshape(-1)[3 : 3 + max(count, 0)][:64], woven[: max(count, 0)])
        assert np.count_nonzero(kept) == min(max(count, 0), 32)
        assert np.count_nonzero(both) == min(max(count, 0), 64)


@kernel
def written(one: Any, other: Any, kept: Any, both: Any, count: Any) -> None:
    keep(kept, 8, load_many(one, 0), count)
    weave(both, 3, load_many(one, 0), load_many(other, 0), count)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, 0x0123456789ABCDEF])
def test_many_random_numbers_are_those_of_single_ones(seed: int) -> None:
    """Bit by bit, at counters of every size, and where words, keys and their sums wrap around."""
    counters = np.random.default_rng(3).integers(0, 2**32, size=(3, MANY)).astype(U)
    counters[:, 0], counters[:, 1] = 0, 2**32 - 1
    key = rng.key(seed)
    found = np.empty((6, MANY))
    drawn(counters, U(2**32 - 1), *key, found)
    for i in range(MANY):
        block = (counters[0, i], U(2**32 - 1), counters[1, i], counters[2, i], *key)
        assert tuple(found[:2, i]) == rng_uniforms(*block)
        assert tuple(found[2:4, i]) == tuple(found[4:, i]) == rng_normals(*block)


@kernel
def drawn(counters: Any, generation: Any, k0: Any, k1: Any, out: Any) -> None:
    c0, c2, c3 = load_many(counters, 0), load_many(counters, MANY), load_many(counters, 2 * MANY)
    u, v = uniforms_of(c0, generation, c2, c3, k0, k1)
    _, _, pair = normals_and_pairs((u, 4.0 * v), c0, generation, c2, c3, k0, k1)
    x, y, _ = normals_and_pairs(pair, c0, generation, c2, c3, k0, k1)
    one, other = box_muller(pairs_of(c0, generation, c2, c3, k0, k1))
    keep(out, 0, u, MANY)
    keep(out, MANY, v, MANY)
    keep(out, 2 * MANY, x, MANY)
    keep(out, 3 * MANY, y, MANY)
    keep(out, 4 * MANY, one, MANY)
    keep(out, 5 * MANY, other, MANY)


@kernel
def rng_uniforms(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    return rng.uniforms(c0, c1, c2, c3, k0, k1)


@kernel
def rng_normals(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    return rng.normals(c0, c1, c2, c3, k0, k1)


def test_normals_of_uniforms_at_every_turn() -> None:
    """The smallest and the largest uniforms, those beside eighths of a turn, and a grid: the bits of single ones."""
    step = 2.0**-53
    ends = [step, 3 * step, 1.0 - step, 1.0 - 3 * step, 2.0**-20 + step, 0.5**0.5 // step * step]
    eighths = [k / 8 + side for k in range(9) for side in (-3 * step, -step, step, 3 * step) if 0 < k / 8 + side < 1]
    grid = ((np.arange(16) + 0.5) / 16 // step) * step + step
    u, v = (each.reshape(-1) for each in np.meshgrid([*ends, *eighths, *grid], [*ends, *eighths, *grid]))
    size = len(u) // MANY * MANY
    out, single = np.empty((2, size)), np.empty((2, size))
    turned(u, v, out)
    turned_one_by_one(u, v, single)
    np.testing.assert_array_equal(out, single)
    np.testing.assert_allclose(np.hypot(*out), np.sqrt(-2.0 * np.log(u[:size])), rtol=1e-15)
    for k, trigonometric in enumerate((np.cos, np.sin)):
        expected = np.sqrt(-2.0 * np.log(u)) * trigonometric(2.0 * np.pi * v)
        np.testing.assert_allclose(out[k], expected[:size], rtol=1e-13, atol=1e-14)


@kernel
def turned(u: Any, v: Any, out: Any) -> None:
    for at in range(0, out.shape[1], MANY):
        x, y = box_muller((load_many(u, at), 4.0 * load_many(v, at)))
        keep(out, at, x, MANY)
        keep(out, out.shape[1] + at, y, MANY)


@kernel
def turned_one_by_one(u: Any, v: Any, out: Any) -> None:
    for i in range(out.shape[1]):
        radius = math.sqrt(-2.0 * rng.log_of(u[i]))
        cosine, sine = rng.turn(v[i])
        out[0, i] = radius * cosine
        out[1, i] = radius * sine


def test_many_logarithms_are_those_of_single_ones() -> None:
    ends = [2.0**-1022, 1e-300, 0.5**0.5, 1.0 - 2.0**-53, 1.0, 1.0 + 2.0**-52, 2.0**0.5, 1e300, 1.7e308]
    x = np.concatenate([ends, np.geomspace(1e-307, 1e307, 4 * MANY - len(ends))])
    out = np.empty((2, len(x)))
    logarithms(x, out)
    np.testing.assert_array_equal(out[0], out[1])
    np.testing.assert_allclose(out[0], np.log(x), rtol=3e-16)


@kernel
def logarithms(x: Any, out: Any) -> None:
    for at in range(0, len(x), MANY):
        keep(out, at, logs_of(load_many(x, at)), MANY)
    for i in range(len(x)):
        out[1, i] = rng.log_of(x[i])


@pytest.mark.parametrize("seed", range(4))
def test_a_fused_product_and_sum_is_rounded_once(seed: int) -> None:
    """Compiled or not, the float nearest to the exact value: also where the product all but cancels what is added, and
    where twice rounding would go astray.
    """
    generator = np.random.default_rng(seed)
    scale = 2.0 ** generator.integers(-200, 200, size=(2, 8 * MANY))
    a, b = generator.uniform(-2.0, 2.0, size=(2, 8 * MANY)) * scale
    c = (
        generator.uniform(-2.0, 2.0, size=8 * MANY)
        * np.abs(a * b)
        * 2.0 ** generator.integers(-110, 110, size=8 * MANY)
    )
    c[:MANY] = -a[:MANY] * b[:MANY]
    a[MANY : 2 * MANY], b[MANY : 2 * MANY] = 1.0 + 2.0**-52, 1.0 + 2.0**-52  # half way between two floats, almost
    c[MANY : 2 * MANY] = 2.0 ** generator.integers(-120, 60, size=MANY)
    c[2 * MANY :: 7] = 0.0
    a[3 * MANY : 4 * MANY] = b[3 * MANY : 4 * MANY] = 2.0 ** generator.integers(-560, -500, size=MANY) * 1.7
    c[3 * MANY : 4 * MANY] = 2.0 ** generator.integers(-1074, -1000, size=MANY)
    a[4 * MANY : 5 * MANY], b[4 * MANY : 5 * MANY], c[4 * MANY : 5 * MANY] = 1e300, 1.5e8, -1.4e308
    exact = [float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)]
    for function in (multiplied_and_added, plain(multiplied_and_added)):
        out = np.empty(8 * MANY)
        function(a, b, c, out)
        np.testing.assert_array_equal(out, exact)


@kernel
def multiplied_and_added(a: Any, b: Any, c: Any, out: Any) -> None:
    for at in range(0, len(a), MANY):
        keep(out, at, fused(load_many(a, at), load_many(b, at), load_many(c, at)), MANY)


def test_a_fused_product_takes_single_numbers_and_what_is_not_finite() -> None:
    x = np.linspace(-3.0, 3.0, MANY)
    x[:3] = np.inf, -np.inf, np.nan
    for function in (line_of, plain(line_of)):
        out = np.empty((2, MANY))
        function(x, out)
        np.testing.assert_array_equal(out[0], 2.0 * x + 0.5)
        np.testing.assert_array_equal(out[1], 2.0 * x + x)


@kernel
def line_of(x: Any, out: Any) -> None:
    value = load_many(x, 0)
    keep(out, 0, fused(value, 2.0, 0.5), MANY)
    keep(out, MANY, fused(value, 2.0, value), MANY)


def test_halves_are_added_to_halves() -> None:
    x = np.random.default_rng(1).normal(size=MANY)
    expected = x.tolist()
    while len(expected) > 1:
        half = len(expected) // 2
        expected = [expected[i] + expected[half + i] for i in range(half)]
    for function in (added_up, plain(added_up)):
        assert function(x) == expected[0]


@kernel
def added_up(x: Any) -> Any:
    return sum_of(load_many(x, 0))


def test_powers_of_two() -> None:
    t = np.concatenate([[0.0, -0.5, -1.0, -511.75, -512.0, -513.0, -1e300, -np.inf], -np.geomspace(1e-300, 500.0, 120)])
    out = np.empty(len(t))
    powers(t, out)
    np.testing.assert_allclose(out, np.exp2(np.maximum(t, -512.0)), rtol=4e-14)
    assert out[0] == 1.0 and out[2] == 0.5
    np.testing.assert_array_equal(out, np.concatenate([plain(powers_of_two)(part) for part in t.reshape(-1, MANY)]))


@kernel
def powers(t: Any, out: Any) -> None:
    for at in range(0, len(t), MANY):
        keep(out, at, powers_of_two(load_many(t, at)), MANY)


@pytest.mark.parametrize("shape", [(1,), (7, 3), (128, 64)])
def test_room_begins_with_a_cache_line(shape: tuple[int, ...]) -> None:
    made = room(*shape)
    assert made.shape == shape and made.dtype == np.float64 and made.flags.c_contiguous
    assert made.ctypes.data % 64 == 0 and not made.any()


_KERNELS = """
import sys
import numpy as np
from lightcollapse.compiler import borrowing, lent
from lightcollapse.kernels.vectors import keep, load_many

@lent
def doubled(x):  # takes nothing but an array, and returns what stays in registers
    return load_many(x, np.int64(0)) + load_many(x, np.int64(0))

@borrowing
def once(x):
    keep(x, np.int64(0), doubled(x), np.int64(32))

@borrowing
def twice(x):
    keep(x, np.int64(0), doubled(x) * 2.0, np.int64(32))

x = np.ones(32)
(once if sys.argv[1] == "once" else twice)(x)
print(x.sum())
"""


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_what_one_process_compiled_serves_the_kernels_of_another(tmp_path: Path) -> None:
    file = tmp_path / "kernels_of_a_test.py"
    file.write_text(_KERNELS)
    environment = os.environ | {"LIGHTCOLLAPSE_CACHE_DIR": str(tmp_path / "cache")}
    said = [
        subprocess.run(
            [sys.executable, str(file), which], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for which in ("once", "twice")
    ]
    assert said == ["64.0\n", "128.0\n"]
    assert len(list((tmp_path / "cache").rglob("*doubled*.nbc"))) == 1
