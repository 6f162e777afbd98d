"""Thirty-two at a time: uniforms, standard normals by Box and Muller 1958, logarithms, and powers of two.

The same random numbers, bit by bit, as `rng` makes one after another. Logarithm, sine and cosine are each a chain of
operations: they are written step by step side by side, for a processor looks no further ahead than a hundred
instructions.
"""

from __future__ import annotations

import numpy as np

from lightcollapse.compiler import lent
from lightcollapse.kernels.rng import MASK32
from lightcollapse.kernels.vectors import MANY, as_numbers, as_words, chosen, fused, keep, larger, many, root

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_S12, _S32, _S52, _S62 = np.uint64(12), np.uint64(32), np.uint64(52), np.uint64(62)
_1, _2 = np.uint64(1), np.uint64(2)
_ONE_BITS, _FOUR_BITS = np.uint64(0x3FF0000000000000), np.uint64(0x4010000000000000)  # of 1 and of 4
_LESS = 1.0 - 2.0**-53
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
_SQRT_HALF = np.uint64(0x3FE6A09E667F3BCD)
_WHOLE = 2.0**52  # a number of this size has no fraction: the low bits of its mantissa count
_SIGNED = np.uint64(0x4330000000000800)  # the bits of 2^52 + 2^11
_MAGIC = 1.5 * 2.0**52  # a sum with it is rounded to a whole number, which its lowest bits hold
_BIAS = np.uint64(1023)
_LOWEST = -512.0


@lent
def _round(c0, c1, c2, c3, k0, k1):
    """One round of Philox. The low halves of words count; in the high ones stands what is left of products and keys."""
    p0 = _M0 * (c0 & MASK32)
    p1 = _M1 * (c2 & MASK32)
    return (p1 >> _S32) ^ c1 ^ k0, p1, (p0 >> _S32) ^ c3 ^ k1, p0, k0 + _W0, k1 + _W1


@lent
def _share(high, low, one_bits, less):
    """A number of [1, 2), or of [4, 8), less `less`: of two words 52 bits are its mantissa. Nothing is rounded."""
    return as_numbers((((high << _S32) | (low & MASK32)) >> _S12) | one_bits) - less


@lent
def _words_of(blocks, generation, replicates, streams, k0, k1):
    """Four words of each of 32 blocks, of which the low halves count, as they do of what is given."""
    c0, c1, c2, c3, k0, k1 = _round(blocks, many(generation), replicates, streams, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)  # written out: the compiler does not unroll a loop
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3


@lent
def uniforms_of(blocks, generation, replicates, streams, k0, k1):
    """Two uniforms strictly inside (0, 1), odd multiples of 2^-53, from each of 32 blocks.

    generation and the key are uint64, the others 32 words each, of which the low halves count.
    """
    w0, w1, w2, w3 = _words_of(blocks, generation, replicates, streams, k0, k1)
    return _share(w0, w1, _ONE_BITS, _LESS), _share(w2, w3, _ONE_BITS, _LESS)


@lent
def pairs_of(blocks, generation, replicates, streams, k0, k1):
    """What `box_muller` takes, of each of 32 blocks, given as for `uniforms_of`."""
    w0, w1, w2, w3 = _words_of(blocks, generation, replicates, streams, k0, k1)
    return _share(w0, w1, _ONE_BITS, _LESS), _share(w2, w3, _FOUR_BITS, 4.0 * _LESS)


@lent
def normals_and_pairs(pair, blocks, generation, replicates, streams, k0, k1):
    """Two normals from each of 32 pairs, as `box_muller` makes them, and meanwhile the pairs of other blocks.

    Bits take one half of a processor's arithmetic units, normals the other: side by side they take less time than one
    after the other.
    """
    return _normals_and_pairs(pair, blocks, many(generation), replicates, streams, k0, k1)


@lent
def box_muller(pair):
    """Two independent standard normals from each of 32 pairs of a uniform and four times another, both odd multiples of
    2^-53: the logarithm of the one and the sine and cosine of as many quarter turns.
    """
    unused = as_words(pair[0])  # the compiler leaves out what comes of it
    x, y, _ = _normals_and_pairs(pair, unused, unused, unused, unused, _1, _1)
    return x, y


@lent
def keep_last(pair, z, half):
    """Write the last 32 normals, or fewer, of both halves of z."""
    x, y = box_muller(pair)
    last = (half - 1) // MANY * MANY
    keep(z, last, x, half - last)
    keep(z, half + last, y, half - last)


@lent
def _normals_and_pairs(pair, c0, c1, c2, c3, k0, k1):
    """`normals_and_pairs`: ten rounds of Philox between the steps of logarithm, sine and cosine, which are those of
    `rng.log_of` and `rng.turn` but that the logarithm is -2 times as large, which rounds as it does.
    """
    shifted = as_words(pair[0]) - _SQRT_HALF
    nearest = pair[1] + _WHOLE  # never half way between two: an odd number of 2^-51
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    exponent = as_numbers((shifted >> _S52) ^ _SIGNED) - (_WHOLE + 2048.0)
    x = (pair[1] - (nearest - _WHOLE)) * 1.5707963267948966
    mantissa = as_numbers((shifted & _MANTISSA) + _SQRT_HALF)
    f = mantissa - 1.0
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    s = f / (mantissa + 1.0)
    y = x * x
    z = s * s
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    a = fused(z, 2.0 * 1.479819860511658591e-01, 2.0 * 1.531383769920937332e-01)
    d = fused(y, 1.58969099521155010221e-10, -2.50507602534068634195e-08)
    e = fused(y, -1.13596475577881948265e-11, 2.08757232129817482790e-09)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    a = fused(z, a, 2.0 * 1.818357216161805012e-01)
    d = fused(y, d, 2.75573137070700676789e-06)
    e = fused(y, e, -2.75573143513906633035e-07)
    a = fused(z, a, 2.0 * 2.222219843214978396e-01)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    d = fused(y, d, -1.98412698298579493134e-04)
    e = fused(y, e, 2.48015872894767294178e-05)
    a = fused(z, a, 2.0 * 2.857142874366239149e-01)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    d = fused(y, d, 8.33333333332248946124e-03)
    e = fused(y, e, -1.38888888888741095749e-03)
    a = fused(z, a, 2.0 * 3.999999999940941908e-01)
    d = fused(y, d, -1.66666666666666324348e-01)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    e = fused(y, e, 4.16666666666666019037e-02)
    a = fused(z, a, 2.0 * 6.666666666666735130e-01)
    square = f * f
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    sine = fused(x * y, d, x)
    cosine = fused(y * y, e, fused(y, -0.5, 1.0))
    a = fused(s, fused(z, a, square), exponent * (2.0 * 1.90821492927058770002e-10))
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    radius = root(fused(exponent, -2.0 * 6.93147180369123816490e-01, (square - a) - (f + f)))
    turns = as_words(nearest)
    odd = turns & _1
    first = as_words(chosen(odd, sine, cosine)) ^ (((turns + _1) & _2) << _S62)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    second = as_words(chosen(odd, cosine, sine)) ^ ((turns & _2) << _S62)
    after = _share(c0, c1, _ONE_BITS, _LESS), _share(c2, c3, _FOUR_BITS, 4.0 * _LESS)
    return radius * as_numbers(first), radius * as_numbers(second), after


@lent
def logs_of(x):
    """The logarithms of 32 positive normal numbers."""
    shifted = as_words(x) - _SQRT_HALF
    k = as_numbers((shifted >> _S52) ^ _SIGNED) - (_WHOLE + 2048.0)
    f = as_numbers((shifted & _MANTISSA) + _SQRT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = fused(z, 1.479819860511658591e-01, 1.531383769920937332e-01)
    series = fused(z, series, 1.818357216161805012e-01)
    series = fused(z, series, 2.222219843214978396e-01)
    series = fused(z, series, 2.857142874366239149e-01)
    series = fused(z, series, 3.999999999940941908e-01)
    series = fused(z, series, 6.666666666666735130e-01)
    square = 0.5 * f * f
    low = fused(s, fused(z, series, square), k * 1.90821492927058770002e-10)
    return fused(k, 6.93147180369123816490e-01, f - (square - low))


@lent
def powers_of_two(t):
    """2^t of 32 numbers t <= 0 with a relative error below 4e-14; never below 2^-512.

    What such powers are multiplied by then stays in the range of normal numbers: others take a hundred times as long.
    Estrin's order of the polynomial: products that do not wait for one another.
    """
    t = larger(t, many(_LOWEST), t, many(_LOWEST))
    shifted = t + _MAGIC
    r = t - (shifted - _MAGIC)
    scale = as_numbers((as_words(shifted) + _BIAS) << _S52)
    square = r * r
    low = fused(r, 0.6931471805599453, 1.0)
    middle = fused(r, 0.0013333558179042975, 0.009618129159402564)
    high = fused(r, 1.0203121047815593e-07, 1.325522487909925e-06)
    fourth = square * square
    low = fused(square, fused(r, 0.055504108664760424, 0.2402265069581299), low)
    middle = fused(square, fused(r, 1.5252686846349358e-05, 0.00015403455852451017), middle)
    return fused(fourth, fused(fourth, high, middle), low) * scale
