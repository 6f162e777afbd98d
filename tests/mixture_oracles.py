"""Slow twins of the Gaussian mixture: EM with explicit loops over components, seeds, and distances by integration."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import logsumexp, ndtr

Float = NDArray[np.float64]
Law = tuple[Float, Float, Float]  # weights (K,), means (K, d), covariances (K, d, d)


def shaped(covariance: Float, shape: str, floor: float) -> Float:
    """A covariance as its shape allows it, with the floor on the diagonal."""
    d = len(covariance)
    if shape == "diagonal":
        covariance = np.diag(np.diag(covariance))
    if shape == "spherical":
        covariance = np.trace(covariance) / d * np.eye(d)
    return covariance + floor * np.eye(d)


def singular(covariance: Float) -> bool:
    """Whether some direction has no more than 1e-12 of its coordinate's variance left."""
    pivots = []
    rest = covariance.copy()
    for j in range(len(rest)):
        pivots.append(rest[j, j])
        if rest[j, j] <= 0.0:
            return True
        rest = rest - np.outer(rest[:, j], rest[j]) / rest[j, j]
    return any(pivot <= max(1e-200, 1e-12 * own) for pivot, own in zip(pivots, np.diag(covariance), strict=True))


def log_density(points: Float, law: Law) -> Float:
    """Log of each component's density times its weight, float64 (points, K)."""
    out = np.full((len(points), len(law[0])), -np.inf)
    for k, (weight, mean, covariance) in enumerate(zip(*law, strict=True)):
        if weight > 0.0:
            gap = points - mean
            square = np.einsum("ni,ij,nj->n", gap, np.linalg.inv(covariance), gap)
            logdet = np.linalg.slogdet(covariance)[1]
            out[:, k] = math.log(weight) - 0.5 * (square + logdet + len(mean) * math.log(2.0 * math.pi))
    return out


def moments(points: Float, weights: Float) -> tuple[Float, Float]:
    """Weighted mean and covariance."""
    mean = weights @ points / weights.sum()
    gap = points - mean
    return mean, (weights[:, None] * gap).T @ gap / weights.sum()


def fit(
    points: Float, weights: Float, law: Law, shape: str, floor: float, tolerance: float, iterations: int
) -> tuple[Law, float, int]:
    """EM from a start; the fitted law, the mean log-likelihood and the steps."""
    share, mean, covariance = (part.copy() for part in law)
    whole = weights.sum()

    def drop(gone: list[bool], counts: Float) -> None:
        alive = np.flatnonzero(share > 0.0)
        if all(gone[k] for k in alive):
            gone[alive[np.argmax(counts[alive])]] = False
        for k in alive:
            if gone[k]:
                share[k] = 0.0
        share[:] /= share.sum()

    def score() -> float:
        return float(weights @ logsumexp(log_density(points, (share, mean, covariance)), axis=1) / whole)

    taken = 0
    drop([singular(matrix) for matrix in covariance], share)
    last = score() if np.count_nonzero(share) > 1 else 0.0
    while np.count_nonzero(share) > 1:
        logs = log_density(points, (share, mean, covariance))
        chances = np.exp(logs - logsumexp(logs, axis=1, keepdims=True)) * weights[:, None]
        counts, gone, before = chances.sum(axis=0), [False] * len(share), np.count_nonzero(share)
        for k in np.flatnonzero(share > 0.0):
            gone[k] = counts[k] < 1e-8
            if not gone[k]:
                mean_k, covariance_k = moments(points, chances[:, k])
                covariance_k = shaped(covariance_k, shape, floor)
                gone[k] = singular(covariance_k)
                if not gone[k]:
                    mean[k], covariance[k] = mean_k, covariance_k
        share = np.where(share > 0.0, counts / whole, 0.0)
        drop(gone, counts)
        taken += 1
        if np.count_nonzero(share) == 1:
            break
        gain, last = score() - last, score()
        if before == np.count_nonzero(share) and (taken >= iterations or gain < tolerance):
            break
    if np.count_nonzero(share) == 1:
        only = int(np.argmax(share))
        mean[only], covariance[only] = moments(points, weights)
        covariance[only] = shaped(covariance[only], shape, floor)
        taken += 1
        last = np.inf if singular(covariance[only]) else score()
    return (share, mean, covariance), last, taken


def seeds(points: Float, weights: Float, components: int, uniforms: list[float]) -> tuple[Law, Float]:
    """k-means++: the start, and the cell of each point."""
    centres: list[Float] = []
    for u in uniforms[:components]:
        chance = weights.copy()
        if centres:
            chance *= np.min([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        if chance.sum() <= 0.0:
            break
        centres.append(points[int(np.searchsorted(np.cumsum(chance), u * chance.sum(), side="right"))])
    cell = np.argmin([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
    share, mean = np.zeros(components), np.zeros((components, points.shape[1]))
    pooled = np.zeros((points.shape[1],) * 2)
    for k in range(len(centres)):
        inside = weights * (cell == k)
        share[k] = inside.sum() / weights.sum()
        mean[k], own = moments(points, inside)
        pooled += share[k] * own
    if singular(pooled):
        pooled = moments(points, weights)[1]
    return (share, mean, np.tile(pooled, (components, 1, 1))), cell


# Distances on the line, by integration.


def density(x: float, law: Law) -> float:
    return float(np.exp(logsumexp(log_density(np.array([[x]]), law))))


def below(x: float, law: Law) -> float:
    share, mean, covariance = law
    return float(share @ ndtr((x - mean[:, 0]) / np.sqrt(covariance[:, 0, 0])))


def integral(function: object, *laws: Law) -> float:
    """Over the line, broken where any component begins, peaks and ends."""
    edges = sorted(
        {
            float(m[0] + side * math.sqrt(v[0, 0]))
            for law in laws
            for w, m, v in zip(*law, strict=True)
            if w > 0.0
            for side in (-12, -3, -1, 0, 1, 3, 12)
        }
    )
    parts = [quad(function, a, b, epsabs=1e-13, epsrel=1e-11, limit=200)[0] for a, b in pairwise(edges)]
    return float(sum(parts))


def divergence(first: Law, second: Law) -> float:
    """KL(first || second), nats."""

    def term(x: float) -> float:
        own, other = (float(logsumexp(log_density(np.array([[x]]), law))) for law in (first, second))
        return math.exp(own) * (own - other)

    return integral(term, first, second)


def square_difference(first: Law, second: Law) -> float:
    return integral(lambda x: (density(x, first) - density(x, second)) ** 2, first, second)


def quantile(level: float, law: Law) -> float:
    return float(brentq(lambda x: below(x, law) - level, -1e4, 1e4, xtol=1e-13, rtol=1e-14))
