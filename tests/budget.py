"""The suite's one error budget: every statistical check of every module spends an equal share of alpha = 1e-6.

A right program fails some check with chance at most ALPHA for a new set of seeds, by the union bound. A wrong one is
found: each check has power to spare at SHARE, and near misses prove it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

ALPHA = 1e-6
MOST_CHECKS = 12_000
SHARE = ALPHA / MOST_CHECKS


@dataclass
class Court:
    """The checks of one test, kept for the summary. Use as `court = Court(record_property)`."""

    record: object
    checks: list[tuple[str, float]] = field(default_factory=list)

    def hold(self, name: str, p_value: float) -> None:
        """A hypothesis that must stand: fails where p is below the share."""
        self._note("check", name, p_value)
        assert p_value >= SHARE, f"{name}: p = {p_value:.3g} is below the share {SHARE:.0e} of one check"

    def reject(self, name: str, p_values: Iterable[float]) -> None:
        """A near miss, which the same check must reject at the same level in one generation or another."""
        least = min(p_values)
        self._note("near miss", name, least)
        assert least < SHARE, f"near miss of {name} stands: p = {least:.3g} is not below {SHARE:.0e}"

    def _note(self, kind: str, name: str, p_value: float) -> None:
        self.record(f"budget {kind}", [name, float(p_value)])  # type: ignore[operator]


def pytest_terminal_summary(terminalreporter: object) -> None:
    """What the budget was spent on; conftest.py imports this hook."""
    notes: dict[str, list[tuple[str, float]]] = {"budget check": [], "budget near miss": []}
    for reports in terminalreporter.stats.values():  # type: ignore[attr-defined]
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key in notes and getattr(report, "when", "") == "call":
                    notes[key].append((value[0], value[1]))
    checks, misses = notes["budget check"], notes["budget near miss"]
    if not checks:
        return
    name, p_value = min(checks, key=lambda note: note[1])
    write = terminalreporter.write_line  # type: ignore[attr-defined]
    write(f"error budget {ALPHA:.0e}: {len(checks)} of {MOST_CHECKS} checks at {SHARE:.0e}")
    write(f"smallest p {p_value:.3g} ({name}); smallest p times checks {min(1.0, p_value * len(checks)):.3g}")
    if misses:
        name, p_value = max(misses, key=lambda note: note[1])
        write(f"{len(misses)} near misses rejected, the hardest at p = {p_value:.3g} ({name})")
    if len(checks) > MOST_CHECKS:
        write(f"ERROR: more than {MOST_CHECKS} checks: raise MOST_CHECKS", red=True)
