"""Measured: metrics by name, some of which are worked out only when somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

NEVER = -1  # the generation of what did not come
Float = NDArray[np.float64]
Later = Callable[[Mapping[str, Float]], Float]  # a metric from those that are known


class Measured(Mapping[str, Float]):
    """name -> float64 (replicates, generations + 1).

    Args:
        known: metrics that a run measured.
        later: how to work out others from them, elementwise.
        order: names in the order of tables; None takes `known`, then `later`.
    """

    def __init__(
        self, known: Mapping[str, Float], later: Mapping[str, Later] | None = None, order: Sequence[str] | None = None
    ) -> None:
        self._known = dict(known)
        self._later = dict(later or {})
        self._order = tuple(order or self._known | self._later)

    def __getitem__(self, name: str) -> Float:
        if name not in self._known:
            self._known[name] = self._later[name](self)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    @classmethod
    def joined(cls, parts: Sequence[Mapping[str, Float]]) -> Measured:
        """The replicates of all parts, one after another; what no part has worked out yet still is not."""
        first = parts[0]
        if len(parts) == 1 and isinstance(first, Measured):
            return first
        names = [name for name in first if any(not isinstance(part, Measured) or name in part._known for part in parts)]
        later = first._later if isinstance(first, Measured) else {}
        return cls({name: np.concatenate([part[name] for part in parts]) for name in names}, later, tuple(first))
