"""Figures are built, carry their recipe, and have the same bytes in every process."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import lightcollapse as lc
from lightcollapse import plot
from lightcollapse.errors import LightcollapseError

FOLDER = Path(__file__).parents[1] / "figures"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def record() -> lc.Record:
    card = lc.Scenario(lc.sources.Normal(), lc.families.Gaussian(), sample_size=10, generations=4)
    return lc.run(card, seed=1, replicates=20)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_builds_its_figure(path: Path) -> None:
    figure = load(path).figure(quick=True)
    assert isinstance(figure, Figure)
    for axis in figure.axes:
        assert axis.get_title() or axis.get_ylabel()


def test_the_picture_of_the_front_page_is_the_script_s() -> None:
    with Image.open(FOLDER / "readme.png") as image:
        assert json.loads(image.info["Description"]) == json.loads(json.dumps(load(FOLDER / "first_look.py").RECIPE))


def test_every_format_carries_the_recipe(record: lc.Record, tmp_path: Path) -> None:
    recipe = {"card": record.scenario.to_dict(), "seed": 1}
    png, svg, pdf = plot.save(plot.plot(record), tmp_path / "figure", recipe)
    with Image.open(png) as image:
        assert json.loads(image.info["Description"]) == recipe
    assert "<dc:description>" in svg.read_text() and "&quot;" not in svg.read_text().split("<dc:description>")[0]
    assert b"/Subject" in pdf.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure.pdf", "figure.png", "figure.svg"]


def test_the_bytes_are_the_same_in_another_process(record: lc.Record, tmp_path: Path) -> None:
    here = plot.save(plot.plot(record), tmp_path / "here", {"seed": 1})
    record.save(tmp_path / "record.npz")
    script = (
        "import lightcollapse as lc; from lightcollapse import plot;"
        "plot.save(plot.plot(lc.Record.load('record.npz')), 'there', {'seed': 1})"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    for path in here:
        there = tmp_path / path.name.replace("here", "there")
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(there.read_bytes()).digest(), path.suffix


def test_collapse_and_one_replicate_can_be_drawn(tmp_path: Path) -> None:
    card = lc.Scenario(lc.sources.Uniform(2), lc.families.Categorical(), sample_size=2, generations=40)
    for replicates in (1, 5):
        plot.save(plot.plot(lc.run(card, seed=1, replicates=replicates)), tmp_path / "f", {}, ("svg",))


def test_infinite_values_are_gaps(record: lc.Record, tmp_path: Path) -> None:
    figure = plot.plot(record, metrics=["kl_source_model"])
    record.metrics["kl_source_model"][0, -1] = np.inf
    plot.save(plot.plot(record, metrics=["kl_source_model"]), tmp_path / "f", {}, ("svg",))
    assert len(figure.axes) == 1


def test_a_folder_that_cannot_be_written_is_said(record: lc.Record, tmp_path: Path) -> None:
    with pytest.raises(LightcollapseError, match="cannot write"):
        plot.save(plot.plot(record), tmp_path / "missing" / "figure", {})
