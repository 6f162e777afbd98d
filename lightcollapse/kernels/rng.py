"""Philox4x32-10: random bits as a pure function of (draw, generation, replicate, stream) under a seed.

No state: any order, any subset of replicates and any number of threads or machines give the same bits. Source: Salmon,
Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"; held to their published vectors in the tests.

Every argument of these kernels is np.uint64: mixed with a signed integer it would become a float.
"""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import inlined, kernel
from lightcollapse.kernels.vectors import fused

# Streams: what a draw is for, so that no two purposes ever share bits. Bits 8..31 of a stream may carry a lane.
REAL_DATA = np.uint64(0)
SYNTHETIC = np.uint64(1)
POOL = np.uint64(2)
# Stream 4 parts human text into what is learned from and what is held out; the corpus draws it without kernels.

MASK32 = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_ONE_BITS = np.uint64(0x3FF0000000000000)
_S12 = np.uint64(12)
_HALF_STEP = 2.0**-53
ONE = np.uint64(1)


@inlined
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words of 32 bits, each in a uint64: the block at counter (c0, c1, c2, c3) under key (k0, k1)."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _S32) ^ c1 ^ k0
        c1 = p1 & MASK32
        c2 = (p0 >> _S32) ^ c3 ^ k1
        c3 = p0 & MASK32
        k0 = (k0 + _W0) & MASK32
        k1 = (k1 + _W1) & MASK32
    return c0, c1, c2, c3


@inlined
def unit(high, low):
    """A uniform strictly inside (0, 1), a multiple of 2^-53, from two words: 52 bits are the mantissa of [1, 2)."""
    bits = (((high << _S32) | low) >> _S12) | _ONE_BITS
    return (np.uint64(bits).view(np.float64) - 1.0) + _HALF_STEP


@inlined
def uniforms(c0, c1, c2, c3, k0, k1):
    """Two uniforms from one block."""
    w0, w1, w2, w3 = philox(c0, c1, c2, c3, k0, k1)
    return unit(w0, w1), unit(w2, w3)


# log, sine and cosine as polynomials (coefficients of the fdlibm kernels): the library's do not vectorise.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_SQRT_HALF = np.int64(0x3FE6A09E667F3BCD)
_I52 = np.int64(52)
_I1023 = np.int64(1023)


@inlined
def log_of(x):
    """Natural logarithm of a positive normal float64, within 1 ulp."""
    shifted = np.float64(x).view(np.int64) - _SQRT_HALF
    exponent = shifted >> _I52
    mantissa = np.int64((shifted & _MANTISSA) + _SQRT_HALF).view(np.float64)
    k = float(exponent)
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = fused(z, 1.479819860511658591e-01, 1.531383769920937332e-01)
    series = fused(z, series, 1.818357216161805012e-01)
    series = fused(z, series, 2.222219843214978396e-01)
    series = fused(z, series, 2.857142874366239149e-01)
    series = fused(z, series, 3.999999999940941908e-01)
    series = fused(z, series, 6.666666666666735130e-01)
    square = 0.5 * f * f
    low = fused(s, fused(z, series, square), k * _LN2_LOW)
    return fused(k, _LN2_HIGH, f - (square - low))


@inlined
def turn(u):
    """(cos, sin) of 2 pi u for u in (0, 1)."""
    quarter = math.floor(4.0 * u + 0.5)
    x = (4.0 * u - quarter) * 1.5707963267948966
    z = x * x
    sine = fused(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08)
    sine = fused(z, sine, 2.75573137070700676789e-06)
    sine = fused(z, sine, -1.98412698298579493134e-04)
    sine = fused(z, sine, 8.33333333332248946124e-03)
    sine = fused(z, sine, -1.66666666666666324348e-01)
    sine = fused(x * z, sine, x)
    cosine = fused(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09)
    cosine = fused(z, cosine, -2.75573143513906633035e-07)
    cosine = fused(z, cosine, 2.48015872894767294178e-05)
    cosine = fused(z, cosine, -1.38888888888741095749e-03)
    cosine = fused(z, cosine, 4.16666666666666019037e-02)
    cosine = fused(z * z, cosine, fused(z, -0.5, 1.0))
    odd = (quarter == 1.0) | (quarter == 3.0)
    first = sine if odd else cosine
    second = cosine if odd else sine
    first = -first if (quarter == 1.0) | (quarter == 2.0) else first
    second = -second if (quarter == 2.0) | (quarter == 3.0) else second
    return first, second


@inlined
def normals(c0, c1, c2, c3, k0, k1):
    """Two independent standard normals from one block (Box and Muller 1958)."""
    u, v = uniforms(c0, c1, c2, c3, k0, k1)
    radius = math.sqrt(-2.0 * log_of(u))
    cosine, sine = turn(v)
    return radius * cosine, radius * sine


@kernel
def gamma(shape, c0, c1, c2, c3, k0, k1):
    """Gamma(shape >= 1, scale 1), blocks from c0 on; returns (value, next free block).

    Source: Marsaglia and Tsang 2000 (rejection from a cubed normal).
    """
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x, _ = normals(c0, c1, c2, c3, k0, k1)
        u, _ = uniforms(c0 + ONE, c1, c2, c3, k0, k1)
        c0 = c0 + ONE + ONE
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                return d * v, c0


@inlined
def stirling_tail(k):
    """log k! less Stirling's formula at k + 1/2: the correction that binomial rejection needs."""
    if k < 10:
        return math.lgamma(k + 1.0) - ((k + 0.5) * math.log(k + 1.0) - (k + 1.0) + 0.9189385332046728)
    x = 1.0 / (k + 1.0)
    y = x * x
    return x * (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y / 1680.0)))


@kernel
def _binomial_inversion(n, p, c0, c1, c2, c3, k0, k1):
    """Binomial by sequential search from 0, for n p < 10 and p <= 1/2."""
    u, _ = uniforms(c0, c1, c2, c3, k0, k1)
    odds = p / (1.0 - p)
    mass = math.exp(n * math.log1p(-p))
    k = 0
    while u > mass and k < n:
        u -= mass
        k += 1
        mass *= odds * (n - k + 1) / k
    return k, c0 + ONE


@kernel
def _binomial_rejection(n, p, c0, c1, c2, c3, k0, k1):
    """Binomial by transformed rejection, for n p >= 10 and p <= 1/2. Source: Hörmann 1993 (BTRS)."""
    spread = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    squeeze = 0.92 - 4.2 / b
    scale = (2.83 + 5.1 / b) * spread
    odds = p / (1.0 - p)
    mode = math.floor((n + 1) * p)
    while True:
        u, v = uniforms(c0, c1, c2, c3, k0, k1)
        c0 = c0 + ONE
        u -= 0.5
        distance = 0.5 - abs(u)
        k = math.floor((2.0 * a / distance + b) * u + centre)
        if distance >= 0.07 and v <= squeeze:
            return np.int64(k), c0
        if k < 0.0 or k > n:
            continue
        bound = (
            (mode + 0.5) * math.log((mode + 1.0) / (odds * (n - mode + 1.0)))
            + (n + 1.0) * math.log((n - mode + 1.0) / (n - k + 1.0))
            + (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
            + stirling_tail(mode)
            + stirling_tail(n - mode)
            - stirling_tail(k)
            - stirling_tail(n - k)
        )
        if math.log(v * scale / (a / (distance * distance) + b)) <= bound:
            return np.int64(k), c0


@kernel
def binomial(n, p, c0, c1, c2, c3, k0, k1):
    """Binomial(n int64 >= 0, p float64), p clipped to [0, 1]; returns (int64, next free block)."""
    if n == 0 or p <= 0.0:
        return np.int64(0), c0
    if p >= 1.0:
        return np.int64(n), c0
    small = min(p, 1.0 - p)
    if n * small < 10.0:
        k, c0 = _binomial_inversion(n, small, c0, c1, c2, c3, k0, k1)
    else:
        k, c0 = _binomial_rejection(n, small, c0, c1, c2, c3, k0, k1)
    return (np.int64(k) if p <= 0.5 else np.int64(n - k)), c0


@inlined
def _log_ways(good, bad, draws, k):
    """log of the hypergeometric weight at k, up to a constant."""
    return -(
        math.lgamma(k + 1.0)
        + math.lgamma(good - k + 1.0)
        + math.lgamma(draws - k + 1.0)
        + math.lgamma(bad - draws + k + 1.0)
    )


@kernel
def hypergeometric(good, bad, draws, c0, c1, c2, c3, k0, k1):
    """Good ones among `draws` taken without replacement from good + bad (all int64); returns (int64, next free block).

    Ten draws or fewer are taken one by one; else by the ratio of uniforms. Source: Stadlober 1990.
    """
    total = good + bad
    few = min(draws, total - draws)
    smaller = min(good, bad)
    if few <= 10:
        k = np.int64(0)
        left = smaller
        for i in range(few):
            u, _ = uniforms(c0, c1, c2, c3, k0, k1)
            c0 = c0 + ONE
            if u * (total - i) < left:
                left -= 1
                k += 1
    else:
        larger = max(good, bad)
        share = smaller / total
        centre = few * share + 0.5
        spread = math.sqrt((total - few) * few * share * (1.0 - share) / (total - 1) + 0.5)
        width = 1.7155277699214135 * spread + 0.8989161620588988
        mode = np.int64((few + 1) * (smaller + 1) / (total + 2))
        top = _log_ways(smaller, larger, few, mode)
        while True:
            u, v = uniforms(c0, c1, c2, c3, k0, k1)
            c0 = c0 + ONE
            w = math.floor(centre + width * (v - 0.5) / u)
            if w < 0.0 or w > min(few, smaller):
                continue
            if 2.0 * math.log(u) <= _log_ways(smaller, larger, few, w) - top:
                k = np.int64(w)
                break
    if good > bad:
        k = few - k
    if draws > few:
        k = good - k
    return np.int64(k), c0


def key(seed: int) -> tuple[np.uint64, np.uint64]:
    """The two key words of a seed in [0, 2^64)."""
    return np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
