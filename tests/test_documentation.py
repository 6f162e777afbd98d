"""The documentation is executed: every block of the README, every example of the help texts."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

import lightcollapse as lc
from lightcollapse import families, regimes, sources
from lightcollapse.cli import VERBS, cli, main
from lightcollapse.errors import CardError

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
INSTALLS = re.compile(r'^pip install (\.|"\.\[test\]") && ')


def examples() -> Iterator[tuple[str, str]]:
    """(verb, command line) of every example in a help text."""
    texts = {verb: importlib.import_module(f"lightcollapse.cli.{verb}").command.epilog for verb in VERBS}
    for verb, text in {"": cli.epilog, **texts}.items():
        for line in (text or "").splitlines():
            if line.strip().startswith("lightcollapse "):
                yield verb or "top", line.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the files that examples name."""
    copy(ROOT / "figures/pictures/first_look.png", tmp_path / "saved.png")
    (tmp_path / "mybook.txt").write_text((ROOT / "tests/data/tiny.txt").read_text(encoding="utf-8") * 3)
    with chdir(tmp_path), redirect_stdout(StringIO()):
        main(["presets", "gaussian"])
    with chdir(tmp_path):
        yield tmp_path


@pytest.mark.parametrize(("verb", "line"), sorted(set(examples())))
def test_every_example_of_the_help_runs(verb: str, line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "mine.toml" in line and ">" not in line:
        (folder / "mine.toml").write_text((ROOT / "lightcollapse/presets/gaussian.toml").read_text())
    if verb == "merge":
        with redirect_stdout(StringIO()):
            main(["measure", "mybook.txt", "--save-counts", "mybook.counts", "--bootstrap", "20"])
    command, _, target = line.partition(" > ")
    if "transformer" in command:  # trains for minutes: tests/test_validation.py runs the verb, on a smaller card
        if importlib.util.find_spec("torch"):
            pytest.skip("trains for minutes")
        assert main(shlex.split(command)[1:]) == 5
        assert 'pip install "lightcollapse[torch]"' in capsys.readouterr().err
        return
    out = StringIO()
    with redirect_stdout(out):
        assert main(shlex.split(command)[1:]) == 0
    assert out.getvalue().strip()
    assert not target or target.endswith(".toml")


def test_every_verb_has_examples_and_a_help_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert {verb for verb, _ in examples()} == {"top", *VERBS}
    for arguments in ([], *([verb] for verb in VERBS)):
        assert main([*arguments, "--help"]) == 0
        text = capsys.readouterr().out
        assert "Examples:" in text
        assert max(map(len, text.splitlines())) <= 80


def shell(lines: str, folder: Path) -> str:
    """Run lines of bash as a user would, in a folder; returns what they print."""
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        env=os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_shell_blocks_of_the_readme_run_and_print_what_it_says(tmp_path: Path) -> None:
    ran = 0
    for (kind, block), (following, expected) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        lines = INSTALLS.sub("", block)  # the install itself is what .ci/run does
        if kind != "bash" or lines.strip() == "pytest":
            continue
        printed = shell(lines, tmp_path)
        ran += 1
        if following == "text" and lines.strip() != "lightcollapse run":
            assert printed == expected
    assert ran >= 5


def test_the_first_output_of_the_readme_has_the_shape_that_the_command_prints(tmp_path: Path) -> None:
    expected = next(block for kind, block in BLOCKS if kind == "text")
    printed = shell("lightcollapse run --seed 1 2>&1", tmp_path)
    same_text = sys.version_info[:2] == (3, 11)  # Python's manual pages are the corpus
    shapes = [[shape(line) for line in text.splitlines()] for text in (expected, printed)]
    assert len(shapes[0]) == len(shapes[1])
    assert shapes[0][0] == shapes[1][0]
    if same_text:
        until = next(i for i, line in enumerate(shapes[0]) if line.startswith("What each"))
        assert shapes[0][: until + 1] == shapes[1][: until + 1]


def shape(line: str) -> str:
    """A line with its numbers and blanks taken out of account."""
    return re.sub(r"\s+", " ", re.sub(r"±?\s*\d[\d.,]*", "#", line)).strip()


def test_the_python_blocks_of_the_readme_run_and_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for (kind, block), (following, expected) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if kind != "python":
            continue
        out = StringIO()
        with redirect_stdout(out):
            exec(compile(block, "README.md", "exec"), names)
        if following == "text":
            assert shape(out.getvalue()) == shape(expected)


FORMS: dict[str, regimes.Regime] = {
    "replace": regimes.Replace(),
    "accumulate": regimes.Accumulate(),
    "accumulate-subsample": regimes.AccumulateSubsample(),
    "fresh-fraction": regimes.FreshFraction(0.1),
    "fresh-fraction, bias": regimes.FreshFraction(0.1, bias=0.5),
    "fixed-real": regimes.FixedReal(),
    "fixed-real, share": regimes.FixedReal(share=0.5),
    "fixed-real, weight": regimes.FixedReal(weight=0.5),
    "weighted": regimes.Weighted(0.6),
    "window": regimes.Window(3),
    "islands": regimes.Islands(3, own=0.5, shared=0.3),
}  # a row of the README's table each


def counts(source: lc.sources.Source, family: lc.families.Family, regime: regimes.Regime, size: int | None) -> str:
    """How many metrics are predicted exactly and about, "none", or "-" where the family refuses the regime."""
    try:
        card = lc.Scenario(source, family, regime, sample_size=size, generations=3)
    except CardError as error:
        assert "cannot execute the recipe column" in str(error)
        return "-"
    kinds = [row.kind for row in lc.predict(card).values()]
    exact = sum(kind.startswith("exact") for kind in kinds)
    found = [f"{count} {word}" for count, word in ((exact, "exact"), (len(kinds) - exact, "about")) if count]
    return ", ".join(found) or "none"


def test_the_table_of_closed_forms_is_what_predict_knows() -> None:
    rows = dict(re.findall(r"^\| ([\w-]+(?:, \w+)?) \| ((?:\d |none|-).*) \|$", README, flags=re.MULTILINE))
    cards: list[tuple[Any, Any, int | None]] = [
        (sources.Normal(), families.Gaussian(), 20),
        (sources.Zipf(8, 1.0), families.Categorical(), 20),
        (sources.Text(str(ROOT / "tests/data/tiny.txt")), families.NGram(order=3), None),
    ]
    assert {type(regime) for regime in FORMS.values()} == set(regimes.REGIMES)
    for name, regime in FORMS.items():
        cells = [counts(source, family, regime, size) for source, family, size in cards]
        assert re.sub(r" \(.*?\)", "", rows[name]) == " | ".join(cells), name


def test_the_two_commands_stand_each_on_one_line() -> None:
    lines = README.splitlines()
    assert "pip install . && lightcollapse run" in lines
    assert 'pip install ".[test]" && pytest' in lines
