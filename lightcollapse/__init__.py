"""lightcollapse: simulate, predict and measure model collapse.

`import lightcollapse as lc` costs nothing: every public name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_MODULES = ("curation", "families", "predictions", "regimes", "sources")
_NAMES = {
    "CardError": "errors",
    "Comparison": "compare",
    "DataError": "errors",
    "LightcollapseError": "errors",
    "Predictions": "theorems",
    "Record": "record",
    "Scenario": "scenario",
    "THEOREMS": "theorems",
    "compare": "compare",
    "predict": "theorems",
    "run": "loop",
}

if TYPE_CHECKING:
    from lightcollapse import curation, families, predictions, regimes, sources
    from lightcollapse.compare import Comparison, compare
    from lightcollapse.errors import CardError, DataError, LightcollapseError
    from lightcollapse.loop import run
    from lightcollapse.record import Record
    from lightcollapse.scenario import Scenario
    from lightcollapse.theorems import THEOREMS, Predictions, predict

__all__ = [*_MODULES, *_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lightcollapse")
    if name in _MODULES:
        return import_module(f"lightcollapse.{name}")
    if name in _NAMES:
        value = getattr(import_module(f"lightcollapse.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lightcollapse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
