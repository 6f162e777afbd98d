"""What this machine can do at best, measured in the same run: a distance to the limit is our time over its."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numba
import numpy as np

from .race import take_turns

_REPEATS = 5
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _S32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
_FAST = {"nogil": True, "error_model": "numpy"}


@dataclass(frozen=True)
class Limits:
    """Nanoseconds, or bytes and operations a second.

    Attributes:
        word: 64 random bits by Philox4x32-10 in SIMD lanes, not stored.
        exp: an exponential of numbers in the first cache, NumPy's or a polynomial, the faster.
        gather: an independent load from 64 MiB; chase: a load there that must wait for the one before.
        sort: a key of `np.sort` of 2^22 random 64-bit keys.
        bandwidth: bytes a second, read by one thread from memory.
        flops: additions and multiplications of a matrix product, one thread.
    """

    word: float
    exp: float
    exp_numpy: float
    gather: float
    chase: float
    sort: float
    bandwidth: float
    flops: float

    @property
    def normal(self) -> float:
        """Nanoseconds of a standard normal: 64 random bits and one elementary function (half a logarithm's and half a
        sine-and-cosine's work, by Box and Muller).
        """
        return self.word + self.exp

    def lines(self) -> list[str]:
        return [
            f"64 random bits {self.word:.2f} ns, exp {self.exp:.2f} ns (NumPy {self.exp_numpy:.2f}), so a normal "
            f"{self.normal:.2f} ns",
            f"sort of 64-bit keys {self.sort:.1f} ns a key, load from 64 MiB {self.gather:.1f} ns, waiting for the "
            f"one before {self.chase:.0f} ns",
            f"memory {self.bandwidth / 1e9:.1f} GB/s, matrix product {self.flops / 1e9:.0f} GFLOP/s, one thread",
        ]


@numba.njit(**_FAST)
def _words(count: int) -> Any:
    total = np.uint64(0)
    for i in range(count):
        c0, c1, c2, c3 = np.uint64(i) & _LOW, np.uint64(1), np.uint64(2), np.uint64(3)
        k0, k1 = np.uint64(4), np.uint64(5)
        for _ in range(10):
            a, b = c0 * _M0, c2 * _M1
            c0, c1, c2, c3 = (b >> _S32) ^ c1 ^ k0, b & _LOW, (a >> _S32) ^ c3 ^ k1, a & _LOW
            k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        total += c0 ^ c1 ^ c2 ^ c3
    return total


@numba.njit(**_FAST)
def _exp(x: Any, power: Any, out: Any) -> None:
    bits = power.view(np.int64)
    for i in range(x.size):
        k = np.floor(x[i] * _LOG2_E + 0.5)
        r = x[i] - k * _LN2_HIGH - k * _LN2_LOW
        p = 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        out[i] = p * r + 1.0
        bits[i] = (np.int64(k) + 1023) << 52
    for i in range(x.size):
        out[i] *= power[i]


@numba.njit(**_FAST)
def _exps(x: Any, power: Any, out: Any, times: int) -> None:
    for _ in range(times):
        _exp(x, power, out)


@numba.njit(**_FAST)
def _gather(table: Any, index: Any) -> Any:
    total = 0
    for i in range(index.size):
        total += table[index[i]]
    return total


@numba.njit(**_FAST)
def _chase(following: Any, steps: int) -> Any:
    at = 0
    for _ in range(steps):
        at = following[at]
    return at


def measure() -> Limits:
    """Measure them: about five seconds."""
    rng = np.random.default_rng(0)
    x, power, out = rng.normal(size=2048), np.empty(2048), np.empty(2048)
    _exps(x, power, out, 1)
    if not np.allclose(out, np.exp(x), rtol=1e-9):
        raise ArithmeticError("the polynomial of the limit is wrong")
    cells = 2**23  # of 8 bytes: 64 MiB
    table, index = np.arange(cells), rng.integers(cells, size=2**21)
    ring = np.empty(cells, dtype=np.int64)
    order = rng.permutation(cells)
    ring[order] = np.roll(order, -1)
    keys = rng.integers(2**63, size=2**22).astype(np.uint64)
    numbers = rng.normal(size=2**24)  # 128 MiB
    square = rng.normal(size=(768, 768))
    product = np.empty_like(square)

    def numpy_exps() -> None:
        for _ in range(1000):
            np.exp(x, out=out)

    nanoseconds: dict[str, tuple[Callable[[], Any], float]] = {
        "word": (lambda: _words(2**22), 2.0 * 2**22),
        "own": (lambda: _exps(x, power, out, 1000), 1000.0 * x.size),
        "numpy": (numpy_exps, 1000.0 * x.size),
        "gather": (lambda: _gather(table, index), float(index.size)),
        "chase": (lambda: _chase(ring, 2**18), 2.0**18),
        "sort": (lambda: np.sort(keys), float(keys.size)),
        "read": (lambda: np.dot(numbers, numbers), 1.0),
        "product": (lambda: np.matmul(square, square, out=product), 1.0),
    }
    times = take_turns([call for call, _ in nanoseconds.values()], _REPEATS)
    found = {
        name: 1e9 * median(each) / count for (name, (_, count)), each in zip(nanoseconds.items(), times, strict=True)
    }
    return Limits(
        word=found["word"],
        exp=min(found["own"], found["numpy"]),
        exp_numpy=found["numpy"],
        gather=found["gather"],
        chase=found["chase"],
        sort=found["sort"],
        bandwidth=1e9 * numbers.nbytes / found["read"],
        flops=1e9 * 2.0 * len(square) ** 3 / found["product"],
    )
