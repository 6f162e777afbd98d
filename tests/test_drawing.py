"""A figure drawn by another process is the figure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lightcollapse as lc
from lightcollapse.cli import drawing
from lightcollapse.cli.drawing import Drawer
from lightcollapse.errors import LightcollapseError
from lightcollapse.panels import Panel, panels


@pytest.fixture(scope="module")
def shown() -> list[Panel]:
    card = lc.Scenario(lc.sources.Normal(), lc.families.Gaussian(), lc.regimes.Replace(), sample_size=10, generations=3)
    record = lc.run(card, seed=1, replicates=20)
    return panels(record, lc.compare(record))


def drawn(drawer: Drawer, shown: list[Panel], folder: Path) -> list[bytes]:
    folder.mkdir()
    drawer.begin(shown, folder / "figure", {"seed": 1})
    return [path.read_bytes() for path in drawer.finish()]


def test_a_process_of_its_own_draws_the_same_bytes(
    shown: list[Panel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    apart = Drawer()
    assert apart._process is not None
    monkeypatch.setattr(drawing, "_cores", lambda: 1)
    here = Drawer()
    assert here._process is None
    assert drawn(apart, shown, tmp_path / "apart") == drawn(here, shown, tmp_path / "here")


def test_the_process_itself_answers(shown: list[Panel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it only died, everything would still be drawn, after everything else."""
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    drawer = Drawer()
    drawer.begin(shown, tmp_path / "figure", {})
    assert drawer._answer() == [tmp_path / "figure.png", tmp_path / "figure.svg"]


def test_a_process_that_dies_is_replaced(shown: list[Panel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    drawer = Drawer()
    assert drawer._process is not None
    drawer._process.kill()
    drawer._process.wait()
    assert [data[:4] for data in drawn(drawer, shown, tmp_path / "folder")] == [b"\x89PNG", b"<?xm"]


def test_what_goes_wrong_there_is_raised_here(
    shown: list[Panel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    drawer = Drawer()
    drawer.begin(shown, tmp_path / "missing" / "figure", {})
    with pytest.raises((LightcollapseError, OSError), match="missing"):
        drawer.finish()


def test_closing_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    drawer = Drawer()
    process = drawer._process
    assert process is not None
    drawer.close()
    assert process.poll() is not None


def test_the_process_imports_only_what_draws() -> None:
    script = (
        "import sys; from lightcollapse import drawing, plot;"
        "heavy = {'click', 'scipy', 'msgspec', 'lightcollapse.compare', 'lightcollapse.families'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
