"""The transformer's forward pass once more: NumPy, double precision, document by document, from the formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Float = NDArray[np.float64]


def logits(weights: dict[str, Any], heads: int, before: NDArray[np.int64]) -> Float:
    """Logits float64 (documents, places, symbols) of what follows each of `before`, int64 (documents, places)."""
    named = {name: np.asarray(weight, dtype=np.float64) for name, weight in weights.items()}
    return np.array([_document(named, heads, row) for row in before])


def _document(weights: dict[str, Float], heads: int, before: NDArray[np.int64]) -> Float:
    vectors = weights["vectors.weight"]
    x = vectors[before]
    layer = 0
    while f"layers.{layer}.attend.weight" in weights:
        mine = {name.removeprefix(f"layers.{layer}."): weight for name, weight in weights.items()}
        x = x + _attention(_norm(x, mine["before_attention.scale"]), mine, heads)
        wide = _norm(x, mine["before_perceptron.scale"]) @ mine["widen.weight"].T
        x = x + (wide * 0.5 * (1.0 + erf(wide / math.sqrt(2.0)))) @ mine["narrow.weight"].T
        layer += 1
    return _norm(x, weights["last.scale"]) @ vectors[1:-1].T


def _norm(x: Float, scale: Float) -> Float:
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6) * scale


def _attention(x: Float, weights: dict[str, Float], heads: int) -> Float:
    places, width = x.shape
    size = width // heads
    query, key, value = np.split(x @ weights["attend.weight"].T, 3, axis=1)
    found = np.zeros((places, width))
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for place in range(places):
            q = _turned(query[place, part], place)
            scores = np.array([q @ _turned(key[at, part], at) for at in range(place + 1)]) / math.sqrt(size)
            shares = np.exp(scores - scores.max())
            found[place, part] = shares @ value[: place + 1, part] / shares.sum()
    return found @ weights["gather.weight"].T


def _turned(vector: Float, place: int) -> Float:
    """Numbers 2 i and 2 i + 1 are the coordinates of a point that turns by place / 10000^(2 i / D)."""
    angles = place * 10_000.0 ** (-np.arange(0, len(vector), 2) / len(vector))
    x, y = vector[::2], vector[1::2]
    turned = np.empty_like(vector)
    turned[::2] = x * np.cos(angles) - y * np.sin(angles)
    turned[1::2] = x * np.sin(angles) + y * np.cos(angles)
    return turned
