"""The matrix of families, regimes and curations: what runs keeps the contracts, what does not says why."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from lightcollapse.cli import matrix as command
from lightcollapse.curation import CURATIONS
from lightcollapse.families import FAMILIES, Family
from lightcollapse.loop import run
from lightcollapse.matrix import STATUSES, Cell, cells, matrix
from lightcollapse.regimes import REGIMES
from lightcollapse.scenario import Scenario
from lightcollapse.theorems import predict

pytestmark = pytest.mark.slow_without_jit
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.kind)
every_family_that_runs = pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, id=family.kind, marks=pytest.mark.skipif(bool(family.missing()), reason=family.missing()))
        for family in FAMILIES
    ],
)


@every_family
def test_the_matrix_is_whole(family: type[Family]) -> None:
    found = matrix((family,))
    assert set(found) == {
        (family.kind, regime.kind, step)
        for regime in REGIMES
        for step in ("", *(curation.kind for curation in CURATIONS))
    }
    assert all(cell.status in STATUSES for cell in found.values())


@every_family_that_runs
def test_what_runs_keeps_its_bits_and_is_never_nan(family: type[Family]) -> None:
    for name, cell in matrix((family,)).items():
        if cell.card is None:
            continue
        whole = run(cell.card, seed=5, replicates=3, jobs=1)
        alone = run(cell.card, seed=5, replicates=[2], jobs=1)
        assert tuple(whole.metrics) == cell.card.metrics, name
        for metric, values in whole.metrics.items():
            assert values.shape == (3, cell.card.generations + 1) and not np.isnan(values).any(), (name, metric)
            assert alone.metrics[metric].tobytes() == values[2:].tobytes(), (name, metric)
        assert Scenario.from_toml(cell.card.to_toml()) == cell.card


@every_family
def test_what_is_refused_says_why(family: type[Family]) -> None:
    for cell in cells((family,)):
        assert (cell.status == "refused") == (cell.card is None) == bool(cell.message)
        if cell.card is None:
            assert len(cell.message) > 20 and not cell.metrics


@every_family
def test_what_has_theory_is_predicted(family: type[Family]) -> None:
    for cell in matrix((family,)).values():
        if cell.card is not None and cell.status != "theory":
            assert not predict(cell.card), cell


def test_the_command_shows_the_matrix() -> None:
    done = CliRunner().invoke(command.command, [])
    assert done.exit_code == 0, done.output
    assert all(family.kind in done.output for family in FAMILIES)
    assert max(map(len, done.output.splitlines())) <= 80


def test_the_command_prints_every_form_as_json() -> None:
    done = CliRunner().invoke(command.command, ["gaussian", "--json"])
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    found: list[Cell] = list(cells((FAMILIES[0],)))
    assert [row["status"] for row in rows] == [cell.status for cell in found]
    assert any(row["status"] == "theory" and row["predicted"] for row in rows)
    assert any(row["status"] == "refused" and row["message"] for row in rows)
