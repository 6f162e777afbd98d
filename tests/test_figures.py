"""Figures are built, carry their recipe, and have the same bytes in every process."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from PIL import Image

import lightcollapse as lc
from lightcollapse import gallery, plot
from lightcollapse.cli import main
from lightcollapse.errors import CardError, LightcollapseError

FOLDER = Path(__file__).parents[1] / "figures"
NAMES = gallery.names()
FORMATS = ("png", "svg", "pdf")
PICTURED = (3, 11)  # the Python whose manual pages the pictures of text are of


@pytest.fixture(scope="module")
def record() -> lc.Record:
    card = lc.Scenario(lc.sources.Normal(), lc.families.Gaussian(), sample_size=10, generations=4)
    return lc.run(card, seed=1, replicates=20)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every figure, quick, drawn by another process through the command line."""
    folder = tmp_path_factory.mktemp("elsewhere")
    line = [sys.executable, "-m", "lightcollapse", "figure", "all", "--quick", "-o", str(folder)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.mpl_image_compare(baseline_dir="pictures", style=plot.STYLE, savefig_kwargs={"dpi": 50}, tolerance=4)
def test_figure(name: str, elsewhere: Path, tmp_path: Path) -> Figure | None:
    """A script draws its figure with the same bytes in every process, and it looks as it did.

    Where its text is another than the pictures' (each Python brings its own), the picture is not compared.
    """
    figure, recipe = gallery.draw(name, quick=True)
    for axis in figure.axes:
        assert not axis.axison or axis.get_title() or axis.get_ylabel() or axis.get_xlabel()
    for path in plot.save(figure, tmp_path / name, recipe, FORMATS):
        assert gallery.recipe_of(path) == json.loads(json.dumps(recipe))
        assert path.read_bytes() == (elsewhere / path.name).read_bytes(), path.suffix
    if find_spec("pytest_mpl") is None:
        return None
    if name == "performance":
        pytest.skip("it shows the last benchmark, whatever that gave")
    if '"text"' in json.dumps(recipe) and sys.version_info[:2] != PICTURED:
        pytest.skip("the picture is of another Python's manual pages")
    return figure


def _drawn(figure: Figure) -> list[np.ndarray]:
    """The numbers of all lines, dots and bands of a figure."""
    shapes = [
        artist.get_offsets() if isinstance(artist, PathCollection) else artist.get_paths()[0].vertices
        for axis in figure.axes
        for artist in axis.collections
        if isinstance(artist, PathCollection) or artist.get_paths()
    ]
    lines = [line.get_xydata() for axis in figure.axes for line in axis.get_lines()]
    images = [image.get_array() for axis in figure.axes for image in axis.get_images()]
    return [np.ma.filled(np.ma.asarray(each, float), np.nan) for each in (*shapes, *lines, *images)]


def _inside(figure: Figure) -> None:
    """Every text and legend lies within the picture, to a pixel."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    legends = [axis.get_legend() for axis in figure.axes] + figure.legends
    titles = [text for axis in figure.axes if axis.axison for text in (axis.title, axis.xaxis.label, axis.yaxis.label)]
    for artist in (*filter(None, legends), *(text for text in titles if text.get_text())):
        box = artist.get_window_extent(renderer)
        assert box.x0 >= -1 and box.y0 >= -1, artist
        assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, artist


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_whole_whatever_draws_it(name: str) -> None:
    """It shows numbers, each panel says what, and nothing is cut off: no picture, font or version is asked."""
    with style.context(plot.STYLE):
        figure, _ = gallery.draw(name, quick=True)
        numbers = _drawn(figure)
        assert numbers and not all(np.isnan(each).all() for each in numbers)
        assert not any(np.isinf(each).any() for each in numbers)
        assert any(axis.get_legend() for axis in figure.axes) or figure.legends or len(numbers) > 1
        _inside(figure)


@pytest.mark.parametrize("name", NAMES)
def test_the_gallery_shows_the_script_s_picture(name: str) -> None:
    shown = gallery.recipe_of(FOLDER / "pictures" / f"{name}.png")
    recipe = json.loads(json.dumps(gallery.load(name).RECIPE))
    assert {key: shown[key] for key in recipe} == recipe and shown["figure"] == name and not shown["quick"]
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert gallery.title(name) in text and f"pictures/{name}.png" in text


@pytest.mark.parametrize("kind", FORMATS)
def test_a_saved_figure_is_drawn_again(kind: str, elsewhere: Path, tmp_path: Path) -> None:
    saved = elsewhere / f"first_look.{kind}"
    assert main(["figure", "--regen", str(saved), "-o", str(tmp_path)]) == 0
    assert (tmp_path / saved.name).read_bytes() == saved.read_bytes()


def test_the_figure_of_a_run_is_drawn_again(tmp_path: Path) -> None:
    assert main(["run", "gaussian", "--replicates", "5", "--generations", "3", "--seed", "2", "-o", str(tmp_path)]) == 0
    assert main(["figure", "--regen", str(tmp_path / "figure.svg"), "-o", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again/figure.svg").read_bytes() == (tmp_path / "figure.svg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["firstlook"], 2, "no figure 'firstlook'; did you mean 'first_look'?"),
        (["first_look", "--list"], 2, "one of the three"),
        (["--regen", "missing.png"], 4, "cannot read missing.png: No such file or directory"),
        (["--regen", "plain.txt"], 4, "plain.txt carries no recipe"),
        (["--regen", "bare.png"], 4, "bare.png carries no recipe"),
        (["--regen", "first_look.png"], 2, "first_look.png would be overwritten; choose another folder with -o"),
        (["--regen", "first_look.png", "-o", "plain.txt"], 1, "cannot write plain.txt"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    arguments: list[str], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain.txt").write_text("no figure")
    Image.new("RGB", (2, 2)).save(tmp_path / "bare.png")
    copy(FOLDER / "pictures/first_look.png", tmp_path)
    with chdir(tmp_path):
        assert main(["figure", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_recipe_without_a_card_is_refused() -> None:
    with pytest.raises(CardError, match="names neither a figure"):
        gallery.redraw({"seed": 1})


@pytest.mark.parametrize("source", [lc.sources.Normal(), lc.sources.Normal(1e6), lc.sources.Normal(std=1e-6)])
def test_labels_and_titles_leave_numbers_alone(source: lc.sources.Normal) -> None:
    """Also where 1e-12 or +1e6 stands above an axis."""
    card = lc.Scenario(source, lc.families.Gaussian(), sample_size=1000, generations=5)
    record = lc.run(card, seed=1, replicates=20)
    with style.context(plot.STYLE):
        figure = plot.plot(record, metrics=list(record.metrics))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        for axis in figure.axes:
            title, offset = axis.title.get_window_extent(), axis.yaxis.get_offset_text()
            assert title.y0 >= axis.bbox.y1
            assert not offset.get_text() or not title.overlaps(offset.get_window_extent())
            if axis.get_xlabel():
                below = min(text.get_window_extent().y0 for text in axis.get_xticklabels())
                assert 0.0 <= below - axis.xaxis.label.get_window_extent().y1 <= 0.1 * figure.dpi
        _inside(figure)


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
