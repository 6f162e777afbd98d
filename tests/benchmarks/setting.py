"""How a run of benchmarks is made."""

from __future__ import annotations

from dataclasses import dataclass

from .limits import Limits
from .race import QUICK_REPEATS, REPEATS


@dataclass(frozen=True)
class Setting:
    """Limits of the machine, and whether sizes are small."""

    limits: Limits
    quick: bool = False

    @property
    def repeats(self) -> int:
        return QUICK_REPEATS if self.quick else REPEATS

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def seconds(self, nanoseconds: float) -> float:
        return 1e-9 * nanoseconds
