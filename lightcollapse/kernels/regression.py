"""Least squares from sums of products, and logistic regression by Newton's method, one lane after another."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import kernel
from lightcollapse.kernels.multivariate import cholesky

_NO_RANK = np.int64(2**62)
_ROUNDING = 1e-11  # a pivot that is less than this share of its diagonal entry counts as zero
_SETTLED = 1e-12  # a Newton step whose expected gain is less than this share of the loss ends the fit
_HALVINGS = 30


@kernel
def least_squares(grams, moments, penalties, weights):
    """Fill weights (lanes, d) with the shortest solution of (gram + penalty I) w = moment. Draws nothing.

    grams (lanes, d, d), moments (lanes, d), penalties (lanes,).
    """
    lanes, d = moments.shape
    matrix = np.empty((d, d))
    factor = np.empty((d, d))
    room = np.empty(d)
    for lane in range(lanes):
        for i in range(d):
            for j in range(i + 1):
                matrix[i, j] = grams[lane, i, j]
            matrix[i, i] += penalties[lane]
        shortest(matrix, moments[lane], factor, room, weights[lane])


@kernel
def shortest(matrix, moment, factor, room, out):
    """The shortest solution of a semidefinite system whose lower half is in matrix (d, d); uses that up.

    With the columns of the factor F that are not zero, w = F (F'F)^-1 u where F u = moment: of full rank, that is two
    triangular systems.
    """
    d = len(moment)
    whole = cholesky(matrix, _NO_RANK, _ROUNDING, factor) > -np.inf
    rank = np.int64(0)
    for k in range(d):
        value = moment[k]
        for j in range(k):
            value -= factor[k, j] * out[j]
        out[k] = value / factor[k, k] if factor[k, k] > 0.0 else 0.0
    if not whole:
        for k in range(d):
            if factor[k, k] > 0.0:
                out[rank] = out[k]
                for i in range(d):
                    factor[i, rank] = factor[i, k]
                rank += 1
        products = np.empty((rank, rank))
        inner = np.empty((rank, rank))
        for i in range(rank):
            for j in range(i + 1):
                value = 0.0
                for k in range(d):
                    value += factor[k, i] * factor[k, j]
                products[i, j] = value
        cholesky(products, _NO_RANK, 0.0, inner)
        for k in range(rank):
            for j in range(k):
                out[k] -= inner[k, j] * out[j]
            out[k] /= inner[k, k]
        for k in range(rank - 1, -1, -1):
            for i in range(k + 1, rank):
                out[k] -= inner[i, k] * out[i]
            out[k] /= inner[k, k]
        for i in range(rank):
            room[i] = out[i]
        for k in range(d):
            out[k] = 0.0
            for i in range(rank):
                out[k] += factor[k, i] * room[i]
    else:
        for k in range(d - 1, -1, -1):
            for i in range(k + 1, d):
                out[k] -= factor[i, k] * out[i]
            out[k] /= factor[k, k]


@kernel
def soft(z):
    """log(1 + e^z)."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


@kernel
def loss_at(points, weights, total, ridge, coefficients):
    """Mean logistic loss of points (count, d + 1), label last, plus ridge / 2 times the squared length, nats."""
    count = len(points)
    d = len(coefficients)
    loss = 0.0
    for i in range(count):
        if weights[i] > 0.0:
            z = 0.0
            for k in range(d):
                z += points[i, k] * coefficients[k]
            loss += weights[i] * (soft(z) - points[i, d] * z)
    square = 0.0
    for k in range(d):
        square += coefficients[k] * coefficients[k]
    return loss / total + 0.5 * ridge * square


@kernel
def logistic(points, weights, ridge, most, coefficients, settled):
    """Fill coefficients (lanes, d) with those of least loss, by at most `most` Newton steps from zero; settled (lanes,)
    is 1 where the last step gained nothing any more, else 0. Draws nothing.

    points (lanes, count, d + 1), label 0 or 1 last; weights (lanes, count).
    """
    lanes, count, width = points.shape
    d = width - 1
    gradient = np.empty(d)
    curvature = np.empty((d, d))
    factor = np.empty((d, d))
    room = np.empty(d)
    step = np.empty(d)
    trial = np.empty(d)
    for lane in range(lanes):
        total = 0.0
        for i in range(count):
            total += weights[lane, i]
        for k in range(d):
            coefficients[lane, k] = 0.0
        settled[lane] = 1.0 if total <= 0.0 else 0.0
        if total <= 0.0:
            continue
        loss = loss_at(points[lane], weights[lane], total, ridge, coefficients[lane])
        for _ in range(most):
            for k in range(d):
                gradient[k] = ridge * coefficients[lane, k]
                for j in range(k + 1):
                    curvature[k, j] = ridge if j == k else 0.0
            for i in range(count):
                w = weights[lane, i] / total
                if w > 0.0:
                    z = 0.0
                    for k in range(d):
                        z += points[lane, i, k] * coefficients[lane, k]
                    p = 1.0 / (1.0 + math.exp(-z)) if z >= 0.0 else math.exp(z) / (1.0 + math.exp(z))
                    slope = w * (p - points[lane, i, d])
                    bend = w * p * (1.0 - p)
                    for k in range(d):
                        a = bend * points[lane, i, k]
                        gradient[k] += slope * points[lane, i, k]
                        for j in range(k + 1):
                            curvature[k, j] += a * points[lane, i, j]
            shortest(curvature, gradient, factor, room, step)
            gain = 0.0
            for k in range(d):
                gain += gradient[k] * step[k]
            if not gain > _SETTLED * loss:
                settled[lane] = 1.0
                break
            length = 1.0
            better = loss
            for _ in range(_HALVINGS):
                for k in range(d):
                    trial[k] = coefficients[lane, k] - length * step[k]
                better = loss_at(points[lane], weights[lane], total, ridge, trial)
                if better < loss:
                    break
                length *= 0.5
            if not better < loss:
                settled[lane] = 1.0
                break
            loss = better
            for k in range(d):
                coefficients[lane, k] = trial[k]
