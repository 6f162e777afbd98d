"""`lightcollapse warm`: compile kernels before they are needed."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.cli import card as cards
from lightcollapse.cli.failure import INTERRUPTED, talk
from lightcollapse.cli.output import envelope, write
from lightcollapse.cli.progress import Progress
from lightcollapse.errors import LightcollapseError, require

if TYPE_CHECKING:
    from lightcollapse.scenario import Scenario

_EPILOG = """\b
Examples:
  lightcollapse warm
  lightcollapse warm text gaussian
  lightcollapse warm mine.toml --json
"""

_REPLICATES = 2
_POINTS, _GENERATIONS = 24, 3


@click.command(epilog=_EPILOG)
@click.argument("given", metavar="[PRESET|CARD.toml|CARD.json]...", nargs=-1, shell_complete=cards._complete)
@click.option("--jobs", type=int, metavar="N", help="Processes side by side.  [default: all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.pass_context
def command(ctx: click.Context, given: tuple[str, ...], jobs: int | None, as_json: bool) -> None:
    """Compile the kernels of these cards, or of every preset and family, and keep them on disk: runs then start at
    once. Without it a card's kernels are compiled at its first run. What is there already is not compiled again.
    """
    require(jobs is None or jobs >= 1, "jobs must be at least 1", jobs)
    for one in given:
        cards.load(one, cards.Overrides())  # a card that is none is told before time is spent
    ctx.exit(warm(given, jobs or _cores(), as_json))


def warm(given: Sequence[str], jobs: int, as_json: bool) -> int:
    """Compile, and say what; returns the exit code. Raises LightcollapseError where nothing can be kept."""
    start = time.monotonic()
    rows: list[dict[str, Any]] = []
    with Progress() as progress:
        progress.say("loading the compiler")
        directory = _directory()
        names = list(dict.fromkeys(given)) or everything()
        try:
            for row in _warmed(names, min(jobs, len(names)), progress):
                rows.append(row)
                progress.count(len(rows), len(names))
        except KeyboardInterrupt:
            talk(f"interrupted after {len(rows)} of {len(names)}; what was compiled is kept in {directory}")
            return INTERRUPTED
    rows.sort(key=lambda row: names.index(row["name"]))
    totals = {
        "seconds": round(time.monotonic() - start, 3),
        "directory": str(directory),
        "bytes": sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()),
    }
    if as_json:
        write(envelope("warm", rows, None, **totals))
    else:
        write(_text(rows, totals))
    return 0


def everything() -> list[str]:
    """Names of all presets, and of all families as `family:KIND`."""
    from lightcollapse.families import FAMILIES

    kinds = [family.kind for family in FAMILIES if family.own_kernels]
    presets = [name for name in cards.preset_names() if cards.load(name).scenario.family.kind in kinds]
    return [*presets, *(f"family:{kind}" for kind in kinds)]


def compiled(name: str) -> dict[str, Any]:
    """Run small cards until all their kernels are compiled: name, how many kernels that took, and seconds."""
    from lightcollapse.cli.compilation import Compilation
    from lightcollapse.compiler import note
    from lightcollapse.loop import run

    start = time.monotonic()
    with warnings.catch_warnings(), Compilation(Progress()) as compilation:
        warnings.simplefilter("ignore")  # of numbers that nobody sees
        for scenario in _scenarios(name):
            run(scenario, 0, _REPLICATES, jobs=1)
            note(scenario.family.kind)
    return {"name": name, "kernels": len(compilation.compiled), "seconds": round(time.monotonic() - start, 3)}


def _scenarios(name: str) -> Iterable[Scenario]:
    """A card, or small ones of every form of a family: in each regime, and with each curation, that it takes."""
    if name.startswith("family:"):
        return _small(name.removeprefix("family:"))
    return [cards.load(name, cards.Overrides()).scenario]


def _small(kind: str) -> Iterator[Scenario]:
    from lightcollapse.curation import CURATIONS
    from lightcollapse.families import FAMILIES
    from lightcollapse.regimes import REGIMES, Replace

    steps = [(step,) for curation in CURATIONS for step in curation.examples()]
    forms = [form for family in FAMILIES if family.kind == kind for form in family.examples()]
    for form in forms:
        for regime in (form for each in REGIMES for form in each.examples()):
            yield from _fitting(form, regime, ())
        for curation in steps:
            yield from _fitting(form, Replace(), curation)


def _fitting(family: Any, regime: Any, curation: tuple[Any, ...]) -> Iterator[Scenario]:
    """The card with the first source that fits, if any does."""
    from lightcollapse.scenario import Scenario
    from lightcollapse.sources import SOURCES

    for source in (law for kind in SOURCES for law in kind.examples()):
        try:
            card = Scenario(source, family, regime, curation, sample_size=_POINTS, generations=_GENERATIONS)
        except LightcollapseError:
            continue
        yield card
        return


def _warmed(names: Sequence[str], jobs: int, progress: Progress) -> Iterator[dict[str, Any]]:
    """A row for each name, as it is done: here, or in processes side by side (numba compiles one kernel at a time)."""
    if jobs == 1:
        for name in names:
            progress.say(name)
            yield compiled(name)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    progress.say("compiling")
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _quietly) as pool:
        try:
            for future in as_completed([pool.submit(compiled, name) for name in names]):
                yield future.result()
        except BaseException:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _quietly() -> None:
    """Leave Ctrl-C to the process that asked."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _directory() -> Path:
    """Where compiled kernels are kept. Raises LightcollapseError where that cannot be."""
    from lightcollapse.compiler import cache_directory
    from lightcollapse.home import cache_home

    directory = cache_directory()
    if directory is None:
        raise LightcollapseError(
            f"compiled kernels cannot be kept: {cache_home()} is no folder that can be written; "
            "set LIGHTCOLLAPSE_CACHE_DIR to one that can (runs work without it, and compile what they need each time)"
        )
    return directory


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _text(rows: Sequence[dict[str, Any]], totals: dict[str, Any]) -> str:
    """A line a card or family, and where it all lies."""
    wide = max(len(row["name"]) for row in rows)
    lines = [
        f"{row['name']:{wide}}  {row['kernels']:4d} kernels compiled in {row['seconds']:6.1f} s"
        if row["kernels"]
        else f"{row['name']:{wide}}  all there"
        for row in rows
    ]
    count = sum(row["kernels"] for row in rows)
    done = f"{count} kernels compiled in {totals['seconds']:.1f} s" if count else "all kernels were there already"
    return "\n".join([*lines, "", done, f"{totals['bytes'] / 2**20:.1f} MiB in {totals['directory']}"])
