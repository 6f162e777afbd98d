"""lightcollapse: simulate, predict and measure model collapse.

`import lightcollapse as lc` costs nothing: every public name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "CardError": "errors",
    "Comparison": "compare",
    "DataError": "errors",
    "LightcollapseError": "errors",
    "Predictions": "theorems",
    "Record": "record",
    "Scenario": "scenario",
    "THEOREMS": "theorems",
    "compare": "compare",
    "forecast": "forecasting",
    "measure": "text",
    "plan": "planning",
    "predict": "theorems",
    "run": "loop",
    "validate": "validation",
    "wasserstein": "distances",
}

if TYPE_CHECKING:
    from lightcollapse import curation, families, predictions, regimes, sources
    from lightcollapse.compare import Comparison, compare
    from lightcollapse.distances import wasserstein
    from lightcollapse.errors import CardError, DataError, LightcollapseError
    from lightcollapse.forecasting import forecast
    from lightcollapse.loop import run
    from lightcollapse.planning import plan
    from lightcollapse.record import Record
    from lightcollapse.scenario import Scenario
    from lightcollapse.text import measure
    from lightcollapse.theorems import THEOREMS, Predictions, predict
    from lightcollapse.validation import validate

__all__ = [
    "THEOREMS",
    "CardError",
    "Comparison",
    "DataError",
    "LightcollapseError",
    "Predictions",
    "Record",
    "Scenario",
    "__version__",
    "compare",
    "curation",
    "families",
    "forecast",
    "measure",
    "plan",
    "predict",
    "predictions",
    "regimes",
    "run",
    "sources",
    "validate",
    "wasserstein",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("lightcollapse")
    if name in _HOME:
        value = getattr(import_module(f"lightcollapse.{_HOME[name]}"), name)
        globals()[name] = value  # also where the name is a module's: lc.compare is the function
        return value
    if name in __all__:
        return import_module(f"lightcollapse.{name}")
    raise AttributeError(f"module 'lightcollapse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
