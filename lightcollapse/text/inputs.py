"""Which file holds which generation."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightcollapse.errors import CardError, DataError, nearest, require

BY = ("generation", "source", "file")
BASELINE_SOURCE = "human"
_SUFFIXES = (".txt", ".jsonl", ".ndjson", ".text", ".md", ".parquet")

Name = int | str
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Given = Mapping[Name, Paths] | Paths


@dataclass(frozen=True)
class Inputs:
    """Files in the order they are read, and how documents are told apart.

    Attributes:
        files: paths, each with the generation that it holds, None where its records say.
        by: what tells generations apart: `generation`, `source` or `file`.
        sole: there is one file and nobody said how to read it: its records may name generations.
    """

    files: tuple[tuple[str, Name | None], ...]
    by: str
    sole: bool = False


def resolve(
    given: Given, *, by: str | None = None, baseline: str | None = None, from_filename: str | None = None
) -> Inputs:
    """The files of each generation. A folder is a generation; one folder of folders holds a generation in each.

    Raises CardError where options contradict one another, DataError where a folder holds no text.
    """
    require(by is None or by in BY, f"--by must be one of {', '.join(BY)}", by, nearest(str(by), BY) if by else "")
    if isinstance(given, Mapping):
        require(bool(given), "at least one file is needed", dict(given))
        require(by is None and baseline is None, "a mapping says itself which file is which", (by, baseline))
        return Inputs(tuple((file, name) for name, paths in given.items() for path in _listed(paths)
                            for file in _expand(path)), "file")  # fmt: skip
    paths = _listed(given)
    require(bool(paths) or baseline is not None, "at least one file is needed", list(paths))
    require(paths.count("-") + (baseline == "-") <= 1, "standard input can be read only once", "-")
    if from_filename is not None:
        require(by in (None, "file"), "--generation-from-filename tells files apart: use it without --by", by)
        return _from_filename(([baseline] if baseline else []) + _all(paths), from_filename, baseline)
    if by in ("generation", "source"):
        first: list[tuple[str, Name | None]] = []
        if baseline is not None:
            first = [(file, 0 if by == "generation" else BASELINE_SOURCE) for file in _expand(baseline)]
        return Inputs((*first, *((file, None) for file in _all(paths))), by)
    if baseline is None and len(paths) == 1:
        inner = _generations_inside(paths[0])
        if not inner and not Path(paths[0]).is_dir():
            return Inputs(((paths[0], 0),), "file", sole=by is None)
        paths = inner or paths
    ordered = ([baseline] if baseline else []) + [path for path in paths if path != baseline]
    return Inputs(tuple((file, t) for t, path in enumerate(ordered) for file in _expand(path)), "file")


def _listed(paths: Paths) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


def _all(paths: Sequence[str]) -> list[str]:
    return [file for path in paths for file in _expand(path)]


def _expand(path: str) -> list[str]:
    """The file itself, or the text files in a folder."""
    if path == "-" or not Path(path).is_dir():
        return [path]
    files = [str(file) for file in Path(path).rglob("*") if file.is_file() and _is_text(file)]
    if not files:
        raise DataError(
            f"{path!r} holds no text: no file in it ends in {', '.join(_SUFFIXES)} (or these .gz, .xz, .zst)"
        )
    return sorted(files, key=_natural)


def _generations_inside(path: str) -> list[str]:
    if path == "-" or not Path(path).is_dir():
        return []
    return sorted((str(folder) for folder in Path(path).iterdir() if folder.is_dir()), key=_natural)


def _is_text(file: Path) -> bool:
    name = file.name.lower().removesuffix(".gz").removesuffix(".xz").removesuffix(".zst")
    return name.endswith(_SUFFIXES)


def _natural(path: str) -> list[tuple[int, str]]:
    """So that gen10 comes after gen9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)]


def _from_filename(files: Sequence[str], pattern: str, baseline: str | None) -> Inputs:
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise CardError(f"--generation-from-filename is no regular expression: {error}, got {pattern!r}") from None
    found: list[tuple[str, Name | None]] = []
    for file in files:
        if file == baseline:
            found.append((file, 0))
            continue
        match = search(Path(file).name)
        number = match and next((group for group in (*match.groups(), match.group()) if group), None)
        if number is None or not number.isdecimal():
            raise CardError(
                f"--generation-from-filename finds no generation in {Path(file).name!r}, got {pattern!r}; "
                r"for example '(\d+)'"
            )
        found.append((file, int(number)))
    return Inputs(tuple(sorted(found, key=lambda item: int(item[1] or 0))), "file")
