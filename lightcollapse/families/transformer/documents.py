"""Padded documents as rectangles that a network reads."""

from __future__ import annotations

import numpy as np
import torch

from lightcollapse.corpus import padding


def rectangle(text: padding.Symbols, length: int) -> torch.Tensor:
    """Documents of padded text, int64 (documents, length); 0 after the end of each."""
    begin, sizes = padding.runs(text)
    place = np.arange(length)
    inside = place < sizes[:, None]
    return torch.from_numpy(np.where(inside, text[np.where(inside, begin[:, None] + place, 0)], 0).astype(np.int64))


def before(documents: torch.Tensor) -> torch.Tensor:
    """What stands before each symbol: 0, then all but the last."""
    return torch.nn.functional.pad(documents[:, :-1], (1, 0))
