"""Every implemented entry of the catalogue of results gives the number recorded for it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from catalogue import EVALUATE

from lightcollapse.theorems import THEOREMS
from lightcollapse.theorems.catalogue import RESULTS

VECTORS = json.loads((Path(__file__).parent / "theory_vectors.json").read_text())
EXACT, INVERTED = 1e-9, 1e-6

# Where the recorded number rests on a quadrature, an inversion, or parameters with nine digits.
TOLERANCE = {
    "G5.tail.bounds": INVERTED,
    "G12.acc.std": INVERTED,
    "G12.acc.W2": INVERTED,
    "N3.ngram.random": INVERTED,
    "estimator.nsb_K": INVERTED,
    "C25.firstext.mean.branch": 0.02,  # recorded: the mean of 6,000 simulated runs
    "G13.accsub.limit": 1e-5,  # recorded: the product cut off at a finite pool; here: its limit
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['id']}-{v['quantity']}"[:60])
def test_recorded_number(vector):
    value = EVALUATE[vector["id"]]({**vector["params"], "quantity": vector["quantity"]})
    assert math.isclose(value, vector["formula"], rel_tol=TOLERANCE.get(vector["id"], EXACT))


def test_every_entry_has_a_vector():
    assert {vector["id"] for vector in VECTORS} == set(EVALUATE)


def test_without_a_quantity_the_first_is_meant():
    params = {"n": 10, "m": 2, "t": 6, "lam": 1.0, "est": "mle"}
    assert EVALUATE["G10.fresh.mom"](params) == EVALUATE["G10.fresh.mom"]({**params, "quantity": "E[s2]"})


@pytest.mark.parametrize("name", sorted(EVALUATE))
def test_the_functions_named_for_a_result_are_those_that_compute_it(name: str) -> None:
    vector = next(vector for vector in VECTORS if vector["id"] == name)
    called = functions_called(lambda: EVALUATE[name]({**vector["params"], "quantity": vector["quantity"]}))
    assert called >= set(RESULTS.get(name, ()))
    assert name in RESULTS or not called


def functions_called(evaluate: Callable[[], object]) -> set[str]:
    """Names of the functions of predictions that a call calls, as module.function."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.parent.name == "predictions":
            found.add(f"{path.stem}.{frame.f_code.co_name}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        evaluate()
    finally:
        sys.setprofile(before)
    return found


def test_theorems_name_results_that_functions_compute() -> None:
    assert {name for row in THEOREMS for name in row.ids} <= set(RESULTS)


@pytest.mark.parametrize("dress", [float, np.float64, np.asarray], ids=["float", "float64", "array"])
def test_numbers_may_come_in_any_dress(dress: Callable[[Any], Any]) -> None:
    for vector in VECTORS[::3]:
        given = {name: dressed(value, dress) for name, value in vector["params"].items()}
        value = EVALUATE[vector["id"]]({**given, "quantity": vector["quantity"]})
        assert math.isclose(value, vector["formula"], rel_tol=TOLERANCE.get(vector["id"], EXACT)), vector


def dressed(value: Any, dress: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return np.asarray(value) if dress is np.asarray else [dressed(item, dress) for item in value]
    return dress(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
