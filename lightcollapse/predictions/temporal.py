"""What drives the drift between generations, from their counts: effective sample size, temperature, fresh share.

The temporal method of population genetics, a token type for an allele: the squared change of frequencies between two
generations, less what two finite samples alone would give. Counts are whole numbers, (types,), of two generations.

Two plans of sampling. *Chain*: each count is the whole training set of the next model, so that nothing but drift lies
between two counts; inference is conditional on the first. *Samples*: each count is a sample from its generation, drawn
apart from what the next model learned; inference is conditional on the sum of the two counts of a type, which leaves a
binomial law without noise in the regressor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, require
from lightcollapse.special import chdtri, ndtri

LEVEL = 0.95
_COMMON = 10.0  # a type is common where drift moves its frequency by less than about 1/sqrt(this) of itself
_ROUNDS = 60
_PASSES = 4
_COUNTED = 5.0  # rarer types say little of the dispersion, whose terms have heavy tails there
_SELDOM, _FEW = 4.0, 50  # expected copies up to which a type is rare, and how many such types tell of their losses
_FEWEST = 20  # types that are kept however strong the drift


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval.

    Attributes:
        value, low, high: infinite where nothing bounds them from above.
        error: standard error of the quantity that was estimated (for an effective sample size, of 1/n_e).
    """

    value: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class Step:
    """What happened between two generations.

    Attributes:
        effective: n_e, tokens that one generation effectively learns from.
        dispersion: variance of a count in units of the multinomial's, with its interval.
        temperature: exponent of frequencies from one generation to the next, 1/temperature, inverted.
        fresh: share of the training set that comes from the source; None where it cannot be told.
        types: number of types the effective size was estimated from.
        rare: dispersion of rare types, by how many of them are lost; None where too few are rare.
    """

    effective: Estimate
    dispersion: Estimate
    temperature: Estimate
    fresh: Estimate | None
    types: int
    rare: Estimate | None = None


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Float, Float]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    require(x.ndim == 1 and x.shape == y.shape, "counts must be two lists of one length", (x.shape, y.shape))
    require(bool(np.all((x >= 0) & (y >= 0))), "counts must be at least 0", min(x.min(initial=0), y.min(initial=0)))
    require(x.sum() >= 2 and y.sum() >= 2, "counts must sum to at least 2", (x.sum(), y.sum()))
    return x, y


# -- standardised variances of frequency change ------------------------------------------------------------------------


def nei_tajima(first: ArrayLike, second: ArrayLike) -> float:
    """F_c: the mean over types of (x - y)^2 / ((x + y)/2 - x y), frequencies x and y; types in neither left out.

    Derivation: theory/effective-sample-size.md. Source: Nei and Tajima 1981, as Waples 1989 and Jorde and Ryman 2007
    quote it.
    """
    a, b = _pair(first, second)
    x, y = a / a.sum(), b / b.sum()
    seen = x + y > 0
    x, y = x[seen], y[seen]
    below = (x + y) / 2.0 - x * y
    terms = np.divide((x - y) ** 2, below, out=np.zeros_like(x), where=below > 0)
    return float(terms.mean())


def jorde_ryman(first: ArrayLike, second: ArrayLike) -> float:
    """F_s: the sum of (x - y)^2 over the sum of z (1 - z), z = (x + y)/2, so that rare types weigh little.

    Derivation: theory/effective-sample-size.md. Source: Jorde and Ryman 2007.
    """
    a, b = _pair(first, second)
    x, y = a / a.sum(), b / b.sum()
    z = (x + y) / 2.0
    below = float((z * (1.0 - z)).sum())
    return float(((x - y) ** 2).sum()) / below if below > 0 else 0.0


def drift(first: ArrayLike, second: ArrayLike) -> float:
    """1/n_e between two samples, ratio of two sums that are each unbiased: the sum of (p - q)^2 over that of p (1 - q).

    The squared change less x (1 - x)/(n_x - 1) and y (1 - y)/(n_y - 1): exact in expectation for any sample sizes, as
    the approximate 1/n_x + 1/n_y of plan II is for large ones. May come out negative, for no drift at all.

    Derivation: theory/effective-sample-size.md. Source: Jorde and Ryman 2007 for the weights; Waples 1989 for plan II;
    Nei 1987 for unbiased diversities.
    """
    a, b = _pair(first, second)
    n, m = float(a.sum()), float(b.sum())
    x, y = a / n, b / m
    moved = float(((x - y) ** 2 - x * (1.0 - x) / (n - 1.0) - y * (1.0 - y) / (m - 1.0)).sum())
    between = 1.0 - float((x * y).sum())
    return moved / between if between > 0 else 0.0


# -- chain: conditional on the first count -----------------------------------------------------------------------------


def chain_step(
    first: ArrayLike,
    second: ArrayLike,
    source: ArrayLike | None = None,
    *,
    source_size: float = np.inf,
    level: float = LEVEL,
) -> Step:
    """What happened between a training set and the one that its model wrote.

    `source` is an estimate of each type's probability in the source from `source_size` tokens; without it there is no
    fresh share. Given x the
    count y has mean n ((1 - phi) x + phi p)^(1/tau) / Z and variance `dispersion` times the multinomial one. The
    temperature is a quasi-likelihood estimate; the dispersion Pearson's mean square, an F_c whose denominator is known;
    1/n_e is dispersion/n_y - 1/n_y + 1/n_x; the fresh share comes from types that the training set lacked.

    Derivation: theory/effective-sample-size.md. Source: Nei and Tajima 1981, Waples 1989 (plan I); derived.
    """
    x, y = _pair(first, second)
    n, m = float(x.sum()), float(y.sum())
    p = None if source is None else np.asarray(source, dtype=np.float64)
    fresh = None if p is None else _new_types(x, y, p, 1.0, level)
    least = min(_COUNTED, float(np.sort(x)[-min(_FEWEST, len(x))]))
    beta, error, spread, terms, moves = 1.0, np.inf, 1.0, np.empty(0), np.empty(0)
    for _ in range(3 if p is not None else 1):
        share = fresh.value if fresh is not None else 0.0
        mixed = x / n if p is None else (1.0 - share) * x / n + share * p
        seen = x > 0
        beta, information = _exponent(np.log(mixed[seen]), y[seen])
        mean = mixed[seen] ** beta
        mean *= y[seen].sum() / mean.sum()
        held = mean / m
        common = x[seen] >= least
        moves = (y[seen] - mean)[common]
        terms = moves**2 / mean[common]
        spread = float(terms.sum()) / max(float((1.0 - held[common]).sum()) - common.mean(), 1.0)
        spread = max(spread - share**2 * m / source_size, 0.0)  # what the source's own estimate adds
        error = float(np.sqrt(spread / information)) if information > 0 else np.inf
        if p is not None:
            fresh = _new_types(x, y, p, beta, level)
    dispersion = _dispersion(terms, moves, spread, level)
    excess = np.array([dispersion.value, dispersion.low, dispersion.high]) / m - 1.0 / m + 1.0 / n
    size = _inverted(excess, dispersion.error / m)
    rare = loss_dispersion(mean, y[seen], level=level)
    return Step(size, dispersion, _temperature(beta, error, level), fresh, len(terms), rare)


def loss_dispersion(means: ArrayLike, counts: ArrayLike, *, level: float = LEVEL) -> Estimate | None:
    """Dispersion v of types expected at most `_SELDOM` times, from which of them are lost; None for fewer than 50.

    A negative binomial count (binomial below v = 1) with this mean is 0 with chance exp(-mean log(v)/(v - 1)); the rate
    log(v)/(v - 1) is a maximum-likelihood estimate. A few types that repeat themselves a hundred times, as models in a
    loop write them, raise a mean square and not this.

    Derivation: theory/effective-sample-size.md. Source: derived.
    """
    mean, y = np.asarray(means, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    rare = (mean > 0) & (mean <= _SELDOM)
    mean, lost = mean[rare], y[rare] == 0
    if len(mean) < _FEW or lost.all() or not lost.any():
        return None
    rate, information = 1.0, 0.0
    for _ in range(_ROUNDS):
        gone = np.exp(-rate * mean)
        score = float((mean[~lost] * gone[~lost] / (1.0 - gone[~lost])).sum() - mean[lost].sum())
        information = float((mean**2 * gone / (1.0 - gone)).sum())
        step = float(np.clip(score / information, -0.5 * rate, 0.5))
        rate += step
        if abs(step) < 1e-10:
            break
    z = float(ndtri((1.0 + level) / 2.0))
    error = information**-0.5
    value, low, high = (_spread_of(each) for each in (rate, rate + z * error, rate - z * error))
    return Estimate(value, low, high, max(high - low, 1e-12) / (2.0 * z))


def _spread_of(rate: float) -> float:
    """v with log(v)/(v - 1) = rate, between 1/100 and 100."""
    low, high = -np.log(100.0), np.log(100.0)
    for _ in range(50):
        middle = 0.5 * (low + high)
        at = 1.0 if abs(middle) < 1e-9 else middle / np.expm1(middle)
        low, high = (middle, high) if at > rate else (low, middle)
    return float(np.exp(0.5 * (low + high)))


def _exponent(logs: Float, counts: Float) -> tuple[float, float]:
    """Most likely exponent of a multinomial law with weights exp(beta log x), and its information."""
    total, beta, centre = float(counts.sum()), 1.0, float(logs.max(initial=0.0))
    target = float(counts @ (logs - centre)) / total if total else 0.0
    variance = 0.0
    for _ in range(_ROUNDS):
        weight = np.exp(beta * (logs - centre))
        weight /= weight.sum()
        mean = float(weight @ (logs - centre))
        variance = float(weight @ (logs - centre - mean) ** 2)
        if variance <= 1e-14:
            return 1.0, 0.0
        step = float(np.clip((target - mean) / variance, -0.5, 0.5))
        beta += step
        if abs(step) < 1e-12:
            break
    return beta, total * variance


def _new_types(x: Float, y: Float, p: Float, beta: float, level: float) -> Estimate:
    """The fresh share from tokens of types that the training set lacked."""
    n, new = float(x.sum()), x == 0
    mass = float(p[new].sum())
    wrote = float(y[new].sum()) / float(y.sum())
    if mass <= 0:
        return Estimate(0.0, 0.0, 1.0, np.inf)
    logs = np.log(x[x > 0] / n)
    boost = float(np.exp((beta - 1.0) * -np.log(n))) / float(np.exp(beta * logs).sum())  # of what is there once
    value = wrote / mass / boost
    noise = float((y[new] ** 2).sum()) / float(y.sum()) ** 2
    once = mass * n if n else 1.0  # Good's estimate of the mass rests on so many types
    error = np.sqrt(noise / (mass * boost) ** 2 + value**2 / max(once, 1.0))
    z = float(ndtri((1.0 + level) / 2.0))
    if value <= 0:
        return Estimate(0.0, 0.0, min(1.0, 3.7 / (float(y.sum()) * mass * boost)), error)
    spread = float(np.exp(z * error / value))
    return Estimate(min(value, 1.0), min(value / spread, 1.0), min(value * spread, 1.0), float(error))


# -- samples: conditional on the sum of both counts --------------------------------------------------------------------


def sample_step(
    first: ArrayLike, second: ArrayLike, source: ArrayLike | None = None, *, noise: float = 1.0, level: float = LEVEL
) -> Step:
    """What happened between two generations of which samples are at hand.

    Given the sum of its two counts a type's first count is binomial, with odds n_x/n_y where nothing happened, and odds
    that fall with the sum where a temperature sharpened the law. Drift adds n_x n_y/(n_x + n_y)/n_e to the dispersion 1
    of samples; `noise` is their own dispersion where tokens come in clusters. Types too rare for the drift found are
    left out. `source` are counts of a sample of the source, apart from both; without it there is no fresh share.

    Derivation: theory/effective-sample-size.md. Source: Nei and Tajima 1981, Waples 1989 (plan II); derived.
    """
    x, y = _pair(first, second)
    human = None if source is None else np.asarray(source, dtype=np.float64)
    present = x + y + (0.0 if human is None else human) > 0
    whole, human = (x[present], y[present]), None if human is None else human[present]
    present = x + y > 0
    x, y = x[present], y[present]
    n, m = float(x.sum()), float(y.sum())
    inverse, least, beta, fit = 0.0, 3.0, 1.0, _Odds(x, y, np.zeros_like(x))
    fresh, away, unsure = None, 0.0, 0.0
    if human is not None:
        away = max(drift(whole[0], human), 0.0)  # of the first generation from the source, in units of 1/n_e
    for _ in range(_PASSES):
        used = x + y >= least
        fresh = None if human is None else _pull(*whole, human, least, level)
        back = fresh.value if fresh is not None and np.isfinite(fresh.error) else 0.0
        steep = _steepness((x + y)[used], least) * (n + m) / (x + y)[used]
        fit = _Odds(x[used], y[used], steep * (0.5 * inverse - back * away))
        beta = (2.0 + fit.slope) / (2.0 - fit.slope)
        moved = n * beta**2 * fit.chance  # what 1/n_e adds to the dispersion of each type
        inverse = max(float((fit.terms - noise).sum()) / float(moved.sum()), 0.0)
        wanted = max(3.0, _COMMON * inverse * (n + m))
        least = min(wanted, float(np.sort(x + y)[-min(_FEWEST, len(x))]))
    dispersion = _dispersion(fit.terms, fit.moves, fit.spread, level)
    scale = float(moved.mean())
    excess = (np.array([dispersion.value, dispersion.low, dispersion.high]) - noise) / scale
    if fresh is not None and np.isfinite(fresh.error):
        excess = excess - max(back * back - fresh.error**2, 0.0) * away  # what a fresh share alone moves
        other = _Odds(x[used], y[used], steep * (0.5 * inverse - (back + fresh.error) * away))
        unsure = other.slope - fit.slope
    size = _inverted(excess, dispersion.error / scale)
    temperature = _temperature(beta, float(np.hypot(fit.error, unsure)) * 4.0 / (2.0 - fit.slope) ** 2, level)
    return Step(size, dispersion, temperature, fresh, len(fit.terms))


class _Odds:
    """Binomial regression of y among x + y on the logarithm of x + y, with a known shift of the log-odds.

    Attributes:
        slope, error: of log(y/x) on log(x + y).
        chance: of y, of each type; moves: y less its mean.
        terms, spread: squared residuals in units of the binomial variance, and their mean.
    """

    def __init__(self, x: Float, y: Float, shift: Float) -> None:
        total = x + y
        used = total > 0
        z = np.log(np.where(used, total, 1.0))
        z = z - float(total @ z) / float(total.sum())
        design = np.stack([np.ones_like(z), z])
        place = np.array([np.log(float(y.sum()) / float(x.sum())), 0.0])
        for _ in range(_ROUNDS):
            chance = 1.0 / (1.0 + np.exp(-np.clip(place @ design + shift, -30.0, 30.0)))
            curve = total * chance * (1.0 - chance)
            information = (design * curve) @ design.T + 1e-9 * np.eye(2)
            step = np.clip(np.linalg.solve(information, design @ (y - total * chance)), -1.0, 1.0)
            place = place + step
            if np.abs(step).max() < 1e-11:
                break
        curve = np.where(used, curve, 1.0)
        self.slope = float(np.clip(place[1], -1.8, 1.8))
        self.chance = chance
        self.moves = y - total * chance
        self.terms = self.moves**2 / curve
        self.spread = float(self.terms.sum()) / max(float(np.count_nonzero(used)) - 2.0, 1.0)
        self.error = float(np.sqrt(max(self.spread, 1e-12) * np.linalg.inv(information)[1, 1]))


def _steepness(totals: Float, least: float) -> float:
    """How much steeper than 1/p the density of frequencies is: Hill's estimate of its exponent, less 1.

    Drift is as likely from p to q as back where that density is 1/p; where it is steeper, what is seen in the middle
    has more often come from below.
    """
    mean = float(np.log(totals / (least - 0.5)).mean())
    return min(1.0 / mean, 3.0) if mean > 0 else 0.0


def _pull(x: Float, y: Float, source: Float, least: float, level: float) -> Estimate:
    """The fresh share from how far the law moves back to the source, without bias by the noise of three samples."""
    used = x + y + source >= least
    n, m, r = float(x.sum()), float(y.sum()), float(source.sum())
    a, b, s = x[used] / n, y[used] / m, source[used] / r
    weight = 1.0 / (a + b + s)
    noise = a * (1.0 - a) / (n - 1.0)
    moved = weight * ((a - b) * (a - s) - noise)
    away = weight * ((a - s) ** 2 - noise - s * (1.0 - s) / (r - 1.0))
    below = float(away.sum())
    if below <= 0:
        return Estimate(0.0, 0.0, 1.0, np.inf)
    value = float(moved.sum()) / below
    error = float(np.sqrt(((moved - value * away) ** 2).sum())) / below
    low, high = _ratio_interval(moved, away, float(ndtri((1.0 + level) / 2.0)))
    return Estimate(float(np.clip(value, 0.0, 1.0)), max(low, 0.0), min(high, 1.0), error)


def _ratio_interval(above: Float, below: Float, z: float) -> tuple[float, float]:
    """Ratios r for which the sum of above - r below is within z standard errors of 0. Source: Fieller 1954."""
    a, b = float(above.sum()), float(below.sum())
    quadratic = b * b - z * z * float(below @ below)
    linear = a * b - z * z * float(above @ below)
    constant = a * a - z * z * float(above @ above)
    inside = linear * linear - quadratic * constant
    if quadratic <= 0 or inside <= 0:
        return 0.0, 1.0
    root = float(np.sqrt(inside))
    return (linear - root) / quadratic, (linear + root) / quadratic


# -- intervals ---------------------------------------------------------------------------------------------------------


def _dispersion(terms: Float, moves: Float, value: float, level: float) -> Estimate:
    """A mean square with the interval of a chi-squared variable whose degrees of freedom match the terms' variance.

    As many degrees as types are too many where types are rare, for their terms are heavier-tailed than a square of a
    normal variable; so the spread of the terms says how many they are worth. The `moves`, counts less their means, sum
    to 0, which takes from the spread what terms and moves share.
    """
    k = len(terms)
    if k < 2 or value <= 0:
        return Estimate(value, 0.0, np.inf, np.inf)
    squares = float(moves @ moves)
    rest = terms - value - (float(terms @ moves) / squares if squares > 0 else 0.0) * moves
    value, error = float(value), float(np.sqrt((rest @ rest) / (k - 1.0) / k))
    degrees = 2.0 * value**2 / error**2 if error > 0 else float(k)
    degrees = min(degrees, k - 1.0) if k >= 50 else k - 1.0
    high, low = (float(chdtri(degrees, 1.0 - q)) for q in ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    spread = value * float(np.sqrt(2.0 / degrees))
    return Estimate(value, float(value * degrees / low), float(value * degrees / high), spread)


def _inverted(excess: Float, error: float) -> Estimate:
    """Effective sample size from 1/n_e and its interval; infinite where that is not above 0."""
    with np.errstate(divide="ignore"):
        value, high, low = (float(1.0 / e) if e > 0 else np.inf for e in excess)
    return Estimate(value, low, high, float(error))


def _temperature(beta: float, error: float, level: float) -> Estimate:
    z = float(ndtri((1.0 + level) / 2.0))
    low, high = beta - z * error, beta + z * error
    return Estimate(
        1.0 / beta if beta > 0 else np.inf,
        1.0 / high if high > 0 and np.isfinite(high) else 0.0,
        1.0 / low if low > 0 else np.inf,
        error,
    )
