"""Selection by reward or score at infinite sample size: preferences, soft judges, the best-scored share.

Model 1 is fitted to real data; from then on the training set is what was selected from the last model's writing, mixed
with real data where a fraction is given.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, at_least, finite, law_of, require
from lightcollapse.special import ndtri

_STEP = 0.2  # of the trapezoidal rule in log u; its error is about exp(-pi^2 / 0.2)
_WIDEST = 600.0  # spread of rewards beyond which e^reward leaves the range of float64


def _rewards_of(rewards: ArrayLike, p: Float) -> Float:
    r = np.atleast_1d(np.asarray(rewards, dtype=np.float64))
    require(r.shape == p.shape, "rewards must hold one number a symbol", r.shape)
    require(bool(np.all(np.isfinite(r))), "rewards must be finite", rewards)
    return r


def chosen_law(probabilities: ArrayLike, rewards: ArrayLike, choices: float) -> Float:
    """Law of the one chosen among `choices` independent points with odds e^reward: float64 (symbols,). Exact.

    p_i times E[K e^(r_i) / (e^(r_i) + the sum over K - 1 others)]; infinitely many choices give p_i e^(r_i),
    normalised. Holds for rewards within 600 of each other (ValueError).

    Derivation: theory/preference.md. Source: Ferbach et al. 2024 (2407.09499) for the setting.
    """
    p = law_of(probabilities)
    r = _rewards_of(rewards, p)
    require(choices >= 1, "choices must be at least 1", choices)
    spread = float(np.ptp(r))
    require(spread <= _WIDEST, f"rewards must lie within {_WIDEST:.0f} of each other", spread)
    if choices == 1:
        return p
    values, place = np.unique(r, return_inverse=True)
    odds = np.exp(values - values[-1])
    mass = np.asarray(np.bincount(place, weights=p), dtype=np.float64)
    tilt = odds if np.isinf(choices) else _choice_odds(mass, odds, float(choices))
    chosen = p * tilt[place]
    return np.asarray(chosen / chosen.sum())


def _choice_odds(mass: Float, odds: Float, choices: float) -> Float:
    """E[K w / (w + others)] for each w: K times the integral over u of exp(-w u) (E exp(-w u))^(K - 1)."""
    x = np.arange(-40.0 - np.log(choices), np.log(800.0 / odds.min()), _STEP)
    u = np.exp(x)
    decay = np.exp(-np.multiply.outer(u, odds))  # (nodes, rewards)
    return np.asarray(choices * _STEP * odds * ((u * (decay @ mass) ** (choices - 1.0)) @ decay))


def preferred_law(
    probabilities: ArrayLike,
    rewards: ArrayLike,
    choices: float,
    generations: int,
    *,
    fraction: float = 0.0,
    first_real: bool = True,
) -> Float:
    """The model's law under preference among `choices`: float64 (generations + 1, symbols). Exact.

    p_(t+1) = fraction times the source + (1 - fraction) chosen(p_t). With `first_real` (the loop) model 1 is the
    source. Holds at infinite sample size.

    Derivation: theory/preference.md. Source: Ferbach et al. 2024 (2407.09499).
    """
    at_least(0, generations=generations)
    p = law_of(probabilities)
    require(0 <= fraction <= 1, "fraction must lie in [0, 1]", fraction)
    laws = [p]
    for generation in range(1, generations + 1):
        if generation == 1 and first_real:
            laws.append(p)
        else:
            laws.append(fraction * p + (1.0 - fraction) * chosen_law(laws[-1], rewards, choices))
    return np.array(laws)


def tilted_law(probabilities: ArrayLike, rewards: ArrayLike, generations: int, *, first_real: bool = True) -> Float:
    """p_t in proportion to p e^(s r), s = t - 1 rounds (t where the first sample is selected too). Exact.

    float64 (generations + 1, symbols): preference among infinitely many, without real data. Holds at infinite
    sample size.

    Derivation: theory/preference.md. Source: Ferbach et al. 2024 (2407.09499).
    """
    at_least(0, generations=generations)
    p = law_of(probabilities)
    r = _rewards_of(rewards, p)
    rounds = np.maximum(np.arange(generations + 1) - (1 if first_real else 0), 0)
    best = r[p > 0].max()
    mass = p * np.exp(np.where(p > 0, np.multiply.outer(rounds, r - best), 0.0))
    return np.asarray(mass / mass.sum(axis=1, keepdims=True))


def reward_gain_bound(probabilities: ArrayLike, rewards: ArrayLike, choices: float) -> float:
    """Least gain of E e^reward in one round: (1 - 1/K) Var(e^r) / max e^r. Lower bound.

    Derivation: theory/preference.md. Source: Ferbach et al. 2024 (2407.09499); proof derived.
    """
    p = law_of(probabilities)
    odds = np.exp(_rewards_of(rewards, p))
    require(choices >= 1, "choices must be at least 1", choices)
    mean = float(p @ odds)
    return (1.0 - 1.0 / choices) * float(p @ (odds - mean) ** 2) / float(odds[p > 0].max())


def kl_model_source_bound(choices: float, written_per_real: float) -> float:
    """Upper bound of KL(model t || source) at every t: -log(1 - l (K - 1)), l synthetic points for each real one.

    Holds when l (K - 1) < 1; ValueError otherwise. Loose: it forgets the rewards.

    Derivation: theory/preference.md. Source: Ferbach et al. 2024 (2407.09499); proof derived.
    """
    require(choices >= 1 and written_per_real >= 0, "choices must be at least 1, written_per_real at least 0",
            (choices, written_per_real))  # fmt: skip
    pull = written_per_real * (choices - 1.0)
    require(pull < 1, "written_per_real (choices - 1) must be below 1", pull)
    return float(-np.log1p(-pull))


class Gaussian(NamedTuple):
    """Mean and variance of the model: float64 (generations + 1,) each."""

    mean: Float
    variance: Float


def judged_gaussian(
    mean: float, variance: float, centre: float, scale: float, generations: int, *, first_real: bool = True
) -> Gaussian:
    """A Gaussian whose points are kept in proportion to exp(-(x - centre)^2 / (2 scale^2)). Exact.

    After s rounds 1/variance = 1/variance_0 + s/scale^2, and the mean is the average of source and centre by those
    two precisions. Holds at infinite sample size: preference among infinitely many with a quadratic reward.

    Derivation: theory/selection.md. Source: derived; Yi et al. 2025 (2510.16657) for a verifier's pull.
    """
    finite(mean=mean, centre=centre)
    at_least(0, generations=generations)
    require(variance > 0 and scale > 0, "variance and scale must be positive", (variance, scale))
    rounds = np.maximum(np.arange(generations + 1.0) - (1 if first_real else 0), 0.0)
    share = rounds * variance / (scale * scale + rounds * variance)
    return Gaussian(mean + share * (centre - mean), variance * (1.0 - share))


class Cut(NamedTuple):
    """A standard normal above its upper quantile: how far its mean lies, and how much of the variance is lost."""

    gain: float
    loss: float


def top_fraction_cut(share: float) -> Cut:
    """The best `share` of a standard normal: mean i = phi(z)/share, and 1 - variance = i (i - z). Exact.

    Derivation: theory/selection.md. Source: textbook; intensity of selection in breeding.
    """
    require(0 < share <= 1, "share must lie in (0, 1]", share)
    if share == 1.0:
        return Cut(0.0, 0.0)
    z = -float(ndtri(share))
    gain = float(np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) / share)
    return Cut(gain, gain * (gain - z))


def top_fraction_gaussian(
    share: float, generations: int, *, variance: float = 1.0, noise: float = 0.0, first_real: bool = True
) -> Gaussian:
    """A Gaussian refitted to the best-scored `share` of its points, the score a point's value plus noise. Exact.

    `noise` is the standard deviation of the score's error. With reliability q = v/(v + noise^2) the mean rises by
    i sqrt(q v) and the variance v falls by the factor 1 - q i (i - z). The mean starts at 0. Holds at infinite sample
    size, refitting a normal law every generation. In several dimensions: along the score's direction.

    Derivation: theory/selection.md. Source: derived; the breeder's equation and Bulmer 1971.
    """
    at_least(0, generations=generations)
    require(variance > 0 and noise >= 0, "variance must be positive, noise at least 0", (variance, noise))
    cut = top_fraction_cut(share)
    mean, spread = 0.0, float(variance)
    means, variances = [mean], [spread]
    for generation in range(1, generations + 1):
        if generation > 1 or not first_real:
            reliability = spread / (spread + noise * noise) if spread > 0 else 0.0
            mean += cut.gain * float(np.sqrt(reliability * spread))
            spread *= 1.0 - reliability * cut.loss
        means.append(mean)
        variances.append(spread)
    return Gaussian(np.array(means), np.array(variances))


def top_fraction_law(
    probabilities: ArrayLike, scores: ArrayLike, share: float, generations: int, *, first_real: bool = True
) -> Float:
    """The best-scored mass share^s of the source after s rounds, normalised: float64 (generations + 1, symbols).

    Symbols of equal score are thinned alike. Exact at infinite sample size.

    Derivation: theory/selection.md. Source: derived.
    """
    p = law_of(probabilities)
    r = _rewards_of(scores, p)
    require(0 < share <= 1, "share must lie in (0, 1]", share)
    rounds = np.maximum(np.arange(generations + 1) - (1 if first_real else 0), 0)
    _, place = np.unique(-r, return_inverse=True)  # best first
    mass = np.bincount(place, weights=p)
    before = np.concatenate([[0.0], np.cumsum(mass)[:-1]])
    kept = np.clip(float(share) ** rounds[:, None] - before, 0.0, mass)
    best = int(np.flatnonzero(mass)[0])
    kept[:, best] = np.where(kept.sum(axis=1) > 0, kept[:, best], 1.0)  # share^s below the smallest number
    law = (kept / np.where(mass > 0, mass, 1.0))[:, place] * p
    return np.asarray(law / law.sum(axis=1, keepdims=True))
