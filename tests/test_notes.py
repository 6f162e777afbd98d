"""Notes, functions and theorems point at each other, and every note's check runs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lightcollapse.predictions
from lightcollapse.theorems import THEOREMS, Theorem

THEORY = Path(__file__).parents[1] / "theory"
NOTES = sorted(path for path in THEORY.glob("*.md") if path.name != "README.md")
PARTS = ["Statement", "Assumptions", "Derivation", "Check", "Where it fails", "Source"]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of the predictions, by module.name."""
    for module_info in pkgutil.iter_modules(lightcollapse.predictions.__path__):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"lightcollapse.predictions.{module_info.name}")
        for name, value in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("_") and value.__module__ == module.__name__:
                yield f"{module_info.name}.{name}", value


def notes_of(function: Callable[..., Any]) -> list[str]:
    return re.findall(r"theory/([\w-]+\.md)", inspect.getdoc(function) or "")


FUNCTIONS = dict(public_functions())
HELPERS = {name for name, function in FUNCTIONS.items() if not notes_of(function)}


def index_table() -> list[str]:
    """The rows of the table of theorems in theory/README.md."""
    return [f"| {row.name} | {row.metric} | {row.kind} | [{row.note[:-3]}]({row.note}) |" for row in THEOREMS]


@pytest.mark.parametrize("note", NOTES, ids=lambda path: path.stem)
def test_note_has_its_parts(note):
    assert re.findall(r"^## (.+)$", note.read_text(encoding="utf-8"), re.MULTILINE) == PARTS


@pytest.mark.parametrize("note", NOTES, ids=lambda path: path.stem)
def test_check_runs(note):
    blocks = BLOCK.findall(note.read_text(encoding="utf-8"))
    assert blocks and any("assert " in block for block in blocks)
    for block in blocks:
        exec(compile(block, note.name, "exec"), {"__name__": note.stem})


@pytest.mark.parametrize("note", NOTES, ids=lambda path: path.stem)
def test_where_it_fails_has_a_number(note):
    section = note.read_text(encoding="utf-8").split("## Where it fails")[1].split("## Source")[0]
    assert re.search(r"\d", section)


@pytest.mark.parametrize("note", NOTES, ids=lambda path: path.stem)
def test_note_is_cited_by_a_function(note):
    assert any(note.name in notes_of(function) for function in FUNCTIONS.values())


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - HELPERS))
def test_function_cites_a_note_and_a_source(name):
    doc = inspect.getdoc(FUNCTIONS[name]) or ""
    assert all((THEORY / note).is_file() for note in notes_of(FUNCTIONS[name]))
    assert "Source:" in doc


def test_helpers_without_a_note_are_these():
    machinery = {"binomial_rows", "transition", "grouped", "chain_sizes", "forward_laws", "entropy_term",
                 "entropy_terms", "half_distances", "presences", "expected_each", "sharing"}  # fmt: skip
    assert {name.split(".")[1] for name in HELPERS} == machinery


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda row: row.name)
def test_theorem_has_a_note(theorem: Theorem):
    assert (THEORY / theorem.note).is_file()


def test_index_lists_every_note_and_theorem():
    index = (THEORY / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in NOTES} == set(re.findall(r"^\| \[[\w-]+\]\(([\w-]+\.md)\)", index, re.MULTILINE))
    listed = [line for line in index.split("## Theorems")[1].splitlines() if line.startswith("| ")][1:]
    assert listed == index_table(), "put the rows of index_table() into theory/README.md"


def test_functions_in_the_index_exist():
    index = (THEORY / "README.md").read_text(encoding="utf-8").split("## Theorems")[0]
    named = set(re.findall(r"`([a-z_]+\.[a-z_0-9]+)`", index))
    assert named and named <= set(FUNCTIONS)
