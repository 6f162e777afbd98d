"""The generator against its published vectors, and every sampler against its exact law."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from budget import Court
from exact import binomial as binomial_p_value
from exact import whole_numbers
from scipy import stats
from scipy.special import gammainc, ndtr

from lightcollapse.evidence import law_p_value
from lightcollapse.kernels import rng

pytestmark = pytest.mark.slow_without_jit

SEED = rng.key(20_240_607_123)
GENERATION, STREAM = np.uint64(3), rng.SYNTHETIC

# Known answers of Philox4x32-10: counter, key, output (Salmon et al. 2011, distributed with their Random123).
VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[np.uint64]:
    return [np.uint64(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "output"), VECTORS)
def test_philox_gives_the_published_words(counter: str, key: str, output: str) -> None:
    assert [int(w) for w in rng.philox(*words(counter), *words(key))] == [int(w) for w in words(output)]


@pytest.mark.parametrize(("counter", "key", "output"), VECTORS)
def test_the_plain_function_gives_the_same(counter: str, key: str, output: str) -> None:
    plain = getattr(rng.philox, "py_func", rng.philox)
    assert [int(w) for w in plain(*words(counter), *words(key))] == [int(w) for w in words(output)]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**64 - 1])
def test_a_seed_is_its_two_words(seed: int) -> None:
    low, high = rng.key(seed)
    assert int(low) + (int(high) << 32) == seed
    assert low.dtype == high.dtype == np.uint64


def test_units_lie_strictly_inside_0_and_1() -> None:
    least, most = np.uint64(0), np.uint64(2**32 - 1)
    assert rng.unit(least, least) == 2.0**-53
    assert rng.unit(most, most) == 1.0 - 2.0**-53
    assert rng.unit(np.uint64(2**31), least) == 0.5 + 2.0**-53


def ulps(got: np.ndarray, exact: np.ndarray) -> float:
    """Largest distance in units of the last place of the exact value."""
    return float(np.max(np.abs((got - exact) / np.spacing(np.abs(exact.astype(np.float64))))))


def test_logarithm_is_within_two_ulps() -> None:
    generator = np.random.default_rng(1)
    x = np.concatenate([generator.random(3000), 2.0 ** generator.uniform(-1000, 1000, 3000), [2.0**-53, 1 - 2.0**-53]])
    got = np.array([rng.log_of(value) for value in x])
    assert ulps(got, np.log(x.astype(np.longdouble))) <= 2.0
    assert rng.log_of(1.0) == 0.0


def test_turn_is_within_two_ulps() -> None:
    generator = np.random.default_rng(2)
    u = np.concatenate([generator.random(4000), np.arange(1, 64) / 64 + 2.0**-53, [2.0**-53, 1 - 2.0**-53]])
    got = np.array([rng.turn(value) for value in u])
    quarter = np.floor(4 * u + 0.5)
    x = (4 * u - quarter).astype(np.longdouble) * (np.longdouble("3.14159265358979323846264338328") / 2)
    turned = np.exp(0.5j * np.pi * quarter).round()
    cosine = turned.real * np.cos(x) - turned.imag * np.sin(x)
    sine = turned.imag * np.cos(x) + turned.real * np.sin(x)
    exact = np.stack([cosine, sine])
    assert ulps(got.T, exact) <= 2.0


def draws(count: int, sampler: Callable[..., tuple], *arguments: object) -> np.ndarray:
    """First results of the sampler for replicates 0 .. count - 1."""
    zero = np.uint64(0)
    return np.array([sampler(*arguments, zero, GENERATION, np.uint64(r), STREAM, *SEED)[0] for r in range(count)])


def test_uniforms_follow_their_law(record_property: object) -> None:
    court = Court(record_property)
    pairs = np.array([rng.uniforms(np.uint64(i), GENERATION, np.uint64(7), STREAM, *SEED) for i in range(20_000)])
    for name, values in (("first", pairs[:, 0]), ("second", pairs[:, 1]), ("both", pairs.ravel())):
        court.hold(f"uniforms, {name}", law_p_value(lambda x: x, values))
    court.hold("uniforms, sum of both", law_p_value(lambda x: x, (pairs[:, 0] + pairs[:, 1]) % 1.0))
    court.hold("uniforms, successive blocks", law_p_value(lambda x: x, (pairs[1:, 0] - pairs[:-1, 0]) % 1.0))


@pytest.mark.parametrize("word", range(3))
def test_each_counter_word_moves_the_draws(word: int, record_property: object) -> None:
    base = [np.uint64(5), np.uint64(5), np.uint64(5)]
    values = []
    for i in range(5000):
        counter = list(base)
        counter[word] = np.uint64(i)
        values.append(rng.uniforms(*counter, STREAM, *SEED)[0])
    Court(record_property).hold(f"uniforms over counter word {word}", law_p_value(lambda x: x, np.array(values)))


def test_normals_follow_their_law(record_property: object) -> None:
    court = Court(record_property)
    pairs = np.array([rng.normals(np.uint64(i), GENERATION, np.uint64(7), STREAM, *SEED) for i in range(20_000)])
    court.hold("normals, first", law_p_value(ndtr, pairs[:, 0]))
    court.hold("normals, second", law_p_value(ndtr, pairs[:, 1]))
    court.hold("normals, sum", law_p_value(ndtr, pairs.sum(axis=1) / math.sqrt(2)))
    court.hold("normals, squared length", law_p_value(lambda x: -np.expm1(-x / 2), (pairs**2).sum(axis=1)))
    court.hold("normals, signs", binomial_p_value(int(np.sum(pairs[:, 0] * pairs[:, 1] > 0)), len(pairs), 0.5))
    far = np.abs(pairs.ravel()) > 3.5
    court.hold("normals, tail", binomial_p_value(int(far.sum()), far.size, float(2 * ndtr(-3.5))))
    court.reject("normals, location", [law_p_value(lambda x: ndtr(x - 0.1), pairs[:, 0])])
    court.reject("normals, scale", [law_p_value(lambda x: ndtr(x * 1.2), pairs[:, 1])])


@pytest.mark.parametrize("shape", [1.0, 1.5, 4.5, 500.0])
def test_gamma_follows_its_law(shape: float, record_property: object) -> None:
    court = Court(record_property)
    values = draws(20_000, rng.gamma, shape)
    court.hold(f"gamma({shape})", law_p_value(lambda x: gammainc(shape, x), values))
    court.reject(f"gamma({shape})", [law_p_value(lambda x: gammainc(shape + 0.1 * math.sqrt(shape), x), values)])


BINOMIALS = [
    (1, 0.5),
    (7, 0.01),
    (30, 0.3),  # inversion
    (1000, 0.0095),
    (20, 0.5),  # the border: n p = 10
    (40, 0.25),
    (200, 0.4),  # rejection
    (200, 0.7),  # mirrored
    (100_000, 0.001),
    (10_000, 0.999),
    (2_000_000, 0.37),
]


@pytest.mark.parametrize(("n", "p"), BINOMIALS)
def test_binomial_follows_its_law(n: int, p: float, record_property: object) -> None:
    values = draws(20_000, rng.binomial, n, p)
    assert values.min() >= 0 and values.max() <= n
    court = Court(record_property)
    if n > 200_000:
        law = stats.binom(n, p)
        spread = values + np.random.default_rng(1).random(len(values))  # a uniform on top makes the law continuous
        spread_cdf = lambda x: law.cdf(np.floor(x) - 1) + (x - np.floor(x)) * law.pmf(np.floor(x))  # noqa: E731
        court.hold(f"binomial({n}, {p})", law_p_value(spread_cdf, spread))
        court.reject(f"binomial({n}, {p})", [law_p_value(lambda x: spread_cdf(x + 0.1 * law.std()), spread)])
        return
    mass = stats.binom(n, p).pmf(np.arange(n + 1))
    court.hold(f"binomial({n}, {p})", whole_numbers(values, mass))
    other = stats.binom(n, min(0.99999, p * 1.15) if p < 0.9 else p - 0.1 * (1 - p)).pmf(np.arange(n + 1))
    court.reject(f"binomial({n}, {p})", [whole_numbers(values, other)] if n > 7 else [0.0])


@pytest.mark.parametrize(("n", "p", "k"), [(0, 0.5, 0), (5, 0.0, 0), (5, -1e-17, 0), (5, 1.0, 5), (5, 1.0 + 1e-15, 5)])
def test_binomial_of_a_certain_event_draws_nothing(n: int, p: float, k: int) -> None:
    zero = np.uint64(0)
    assert rng.binomial(n, p, np.uint64(9), zero, zero, zero, *SEED) == (k, 9)


HYPERGEOMETRICS = [
    (5, 5, 3),  # few draws, one by one
    (3, 40, 8),
    (40, 3, 8),  # more good ones than bad
    (3, 9, 11),  # nearly all
    (9, 3, 11),
    (30, 50, 25),  # ratio of uniforms
    (50, 30, 25),
    (30, 50, 60),  # complement of the draws
    (50, 30, 60),
    (500, 20, 300),
    (20, 5000, 400),
    (40_000, 60_000, 1000),
    (100, 100, 100),
]


@pytest.mark.parametrize(("good", "bad", "taken"), HYPERGEOMETRICS)
def test_hypergeometric_follows_its_law(good: int, bad: int, taken: int, record_property: object) -> None:
    values = draws(10_000, rng.hypergeometric, good, bad, taken)
    assert values.min() >= max(0, taken - bad) and values.max() <= min(good, taken)
    mass = stats.hypergeom(good + bad, good, taken).pmf(np.arange(min(good, taken) + 1))
    court = Court(record_property)
    court.hold(f"hypergeometric({good}, {bad}, {taken})", whole_numbers(values, mass))
    with_replacement = stats.binom(taken, good / (good + bad)).pmf(np.arange(taken + 1))
    if taken > 0.1 * (good + bad):
        court.reject(f"hypergeometric({good}, {bad}, {taken})", [whole_numbers(values, with_replacement)])


@pytest.mark.parametrize(
    ("good", "bad", "taken", "k"),
    [(0, 9, 4, 0), (9, 0, 4, 4), (4, 6, 0, 0), (4, 6, 10, 4), (0, 0, 0, 0), (30, 0, 15, 15)],
)
def test_hypergeometric_of_a_certain_event(good: int, bad: int, taken: int, k: int) -> None:
    assert set(draws(20, rng.hypergeometric, good, bad, taken)) == {k}


def test_samplers_say_which_block_is_free() -> None:
    """What follows a sampler never repeats its bits: the returned block lies beyond every block that it read."""
    zero = np.uint64(0)
    for sampler, arguments in (
        (rng.gamma, (4.5,)),
        (rng.binomial, (30, 0.3)),
        (rng.binomial, (200, 0.4)),
        (rng.hypergeometric, (30, 50, 25)),
        (rng.hypergeometric, (5, 5, 3)),
    ):
        for start in (0, 10):
            _, free = sampler(*arguments, np.uint64(start), zero, zero, zero, *SEED)
            assert free > start
        first = sampler(*arguments, np.uint64(10), zero, zero, zero, *SEED)
        assert first == sampler(*arguments, np.uint64(10), zero, zero, zero, *SEED)
