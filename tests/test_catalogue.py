"""Every implemented entry of the catalogue of results gives the number recorded for it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from catalogue import EVALUATE

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
