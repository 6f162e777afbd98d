"""What an n-gram model forgets of endless text: everything deeper than n, at once, and then nothing more.

A block law is the law of r successive symbols of a stationary source, float64 with r axes of V symbols.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lightcollapse.predictions._checks import Float, require
from lightcollapse.special import entr


def _block(block: ArrayLike) -> Float:
    """A block law. Raises ValueError where it is none, or that of no stationary source."""
    p = np.asarray(block, dtype=np.float64)
    require(p.ndim >= 1 and len(set(p.shape)) == 1, "a block law needs axes of one length", p.shape)
    require(bool(np.all(p >= 0)) and abs(float(p.sum()) - 1.0) < 1e-8, "a block law must sum to 1", float(p.sum()))
    apart = float(np.abs(p.sum(axis=0) - p.sum(axis=-1)).max()) if p.ndim > 1 else 0.0
    require(apart < 1e-8, "the first and the last symbols of a block must have one law", apart)
    return p


def _marginal(p: Float, symbols: int) -> Float:
    """Law of the first symbols of a block."""
    return np.asarray(p.sum(axis=tuple(range(symbols, p.ndim))))


def symbol_entropies(block: ArrayLike) -> Float:
    """Entropy of a symbol given the k - 1 before it, k = 1 .. r, in nats: float64 (r,), falling. Exact.

    Derivation: theory/shallow.md. Source: Shannon 1948.
    """
    p = _block(block)
    whole = [0.0, *(float(entr(_marginal(p, k)).sum()) for k in range(1, p.ndim + 1))]
    return np.diff(np.array(whole))


def shallow_law(block: ArrayLike, order: int) -> Float:
    """Block law of the n-gram model, n = `order`, fitted without smoothing to endless text of the source. Exact.

    It keeps the law of n successive symbols and takes what follows to depend on n - 1 symbols alone; fitted to its own
    text it gives itself. Same shape as `block`. Holds for order from 1 to r.

    Derivation: theory/shallow.md. Source: Riis 2026 (2604.08554) for the setting and stable laws; derived.
    """
    p = _block(block)
    require(1 <= order <= p.ndim, "order must lie between 1 and the length of a block", order)
    window, before = _marginal(p, order), _marginal(p, order - 1)
    known = np.broadcast_to(before[..., None] if order > 1 else np.ones(1), window.shape)
    following = np.divide(window, known, out=np.zeros_like(window), where=known > 0)
    law = window
    for _ in range(p.ndim - order):
        law = law[..., None] * following
    return np.asarray(law)


def shallow_divergence(block: ArrayLike, order: int) -> float:
    """KL of the source's law of r symbols from that of its n-gram model, n = `order`, in nats. Exact.

    The sum over k > n of the entropy given n - 1 symbols less that given k - 1: lost in the first generation of endless
    text, and nothing in the later ones.

    Derivation: theory/shallow.md. Source: Riis 2026 (2604.08554) for the setting; derived.
    """
    entropies = symbol_entropies(block)
    require(1 <= order <= len(entropies), "order must lie between 1 and the length of a block", order)
    return float(np.sum(entropies[order - 1] - entropies[order:]))
