"""`lightcollapse run`: simulate a card, with the theory beside it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.cli import card as cards
from lightcollapse.cli import view
from lightcollapse.cli.failure import INTERRUPTED, talk
from lightcollapse.cli.output import envelope, write
from lightcollapse.cli.progress import Progress
from lightcollapse.errors import CardError, LightcollapseError

if TYPE_CHECKING:
    from lightcollapse.cli.drawing import Drawer
    from lightcollapse.cli.folder import Folder
    from lightcollapse.compare import Comparison
    from lightcollapse.record import Record

_EPILOG = """\b
Examples:
  lightcollapse run
  lightcollapse run gaussian --seed 7
  lightcollapse run gaussian --regime fresh-fraction:0.1 --generations 20
  lightcollapse run zipf --sample-size 200 --replicates 500 --metric support
  lightcollapse run accumulate --sample-size linear:50:10 --generations 8
  lightcollapse run text --set family.order=3 --replicates 2
  lightcollapse run gaussian --set family.variance=unbiased --json --no-figure
  lightcollapse run zipf --curation decoding:0.8 --curation noise:0.01

\b
  lightcollapse presets gaussian > mine.toml
  lightcollapse run mine.toml -o results
  lightcollapse run text --corpus mybook.txt
"""


@click.command(epilog=_EPILOG)
@cards.options
@click.option("--seed", type=int, metavar="N", help="Whole number in [0, 2^64); drawn and printed if not given.")
@click.option("--replicates", type=int, metavar="R", help="Independent chains.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Show this metric (repeatable).")
@click.option("--jobs", type=int, metavar="N", help="Threads; the numbers do not depend on it.  [default: all cores]")
@click.option("--max-memory", metavar="SIZE", help="Refuse to take more, such as 4G or 500M.  [default: what there is]")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where a transformer runs: sets family.device."
)
@click.option("-o", "--output", metavar="DIR", help="Folder for the record and the figure.")
@click.option("--no-figure", is_flag=True, help="Save no figure.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.pass_context
def command(
    ctx: click.Context,
    card: str,
    settings: tuple[str, ...],
    regime: str | None,
    curation: tuple[str, ...],
    sample_size: str | None,
    generations: int | None,
    corpus: str | None,
    seed: int | None,
    replicates: int | None,
    metrics: tuple[str, ...],
    jobs: int | None,
    max_memory: str | None,
    device: str | None,
    output: str | None,
    no_figure: bool,
    as_json: bool,
) -> None:
    """Simulate a card and print a row a generation: each metric with its 95 % interval over the replicates, and the
    prediction beside every metric that has one. The record (.npz) and a figure (PNG, SVG) are saved.

    The card is a preset (`lightcollapse presets` lists them), or a file in TOML or JSON. Without one: text.
    """
    settings += () if device is None else (f'family.device="{device}"',)
    overrides = cards.Overrides(settings, regime, sample_size, generations, corpus, curation)
    job = Job(card, overrides, seed, replicates, metrics, jobs, max_memory, output, not no_figure, as_json)
    ctx.exit(job.run())


@dataclasses.dataclass
class Job:
    """One call of `run`."""

    given: str
    overrides: cards.Overrides
    seed: int | None
    replicates: int | None
    metrics: tuple[str, ...]
    jobs: int | None
    max_memory: str | None
    output: str | None
    wants_figure: bool
    as_json: bool

    def run(self) -> int:
        """Simulate, print, save; returns the exit code."""
        if not self.wants_figure:
            return self.finish(None)
        from lightcollapse.cli.drawing import Drawer

        with closing(Drawer()) as drawer:
            return self.finish(drawer)

    def finish(self, drawer: Drawer | None) -> int:
        with Progress() as progress:
            progress.say("reading the card")
            self.prepare()
            record = self.simulate(progress)
            files: list[Path] = []
            error = self.keep(lambda: [self.folder.save(record, self.whole(record))], files)
            if error is not None or not self.whole(record):
                drawer = None
            progress.say("asking the theory")
            from lightcollapse.compare import compare, with_p_values

            comparison = compare(record, test=False)
            if drawer is not None:
                from lightcollapse.panels import panels

                drawer.begin(panels(record, comparison), self.folder.path / "figure", self.recipe)
            comparison = with_p_values(comparison, record)  # while the figure is drawn
        if not self.as_json:
            write(self.text(record, comparison))
        if drawer is not None:
            error = self.keep(drawer.finish, files)
        if self.as_json:
            write(self.json(record, comparison, files, error))
        return self.farewell(record, files, error)

    def prepare(self) -> None:
        """Read the card and look at the folder, before any time is spent."""
        from lightcollapse.cli.folder import Folder, recipe
        from lightcollapse.loop import draw_seed

        self.card = cards.load(self.given, self.overrides)
        self.most = None if self.max_memory is None else _bytes(self.max_memory)
        self.shown = view.headlines(self.card.scenario, self.metrics)
        self.seed = draw_seed() if self.seed is None else self.seed
        self.replicates = self.card.replicates if self.replicates is None else self.replicates
        self.folder: Folder = Folder(self.card, self.seed, self.replicates, self.output)
        self.folder.check()
        self.recipe = recipe(self.card, self.seed, self.replicates)

    def simulate(self, progress: Progress) -> Record:
        """The record; of an interrupted run, what was done of it."""
        from lightcollapse.compiler import note
        from lightcollapse.loop import Interrupted, arguments, run

        arguments(self.card.scenario, self.seed, self.replicates or 0, self.jobs, self.most)  # before anything is said
        kind = self.card.scenario.family.kind
        try:
            with contextlib.nullcontext() if _announced(kind, progress) else _watched(progress):
                record = run(
                    self.card.scenario,
                    self.seed,
                    self.replicates or 0,
                    progress=progress.count,
                    jobs=self.jobs,
                    max_memory=self.most,
                    checkpoints=self.folder.path / "checkpoints",
                )
            note(kind)
            return record
        except Interrupted as interrupted:
            if interrupted.record is None:
                raise
            return interrupted.record

    def text(self, record: Record, comparison: Comparison) -> str:
        """What is printed: title, table, excerpts."""
        scenario = record.scenario
        replicates = len(record.replicates)
        parts = [view.head(self.card.title, cards.describe(scenario), f"{replicates:,} replicates, seed {record.seed}")]
        parts.append(view.simulated(comparison.rows, self.shown, scenario.generations, bool(self.metrics)))
        parts.append(view.legend(comparison, replicates))
        if record.excerpts:
            parts.append(view.excerpts(record.excerpts))
        return "\n\n".join(parts)

    def whole(self, record: Record) -> bool:
        """Whether all replicates were done."""
        return len(record.replicates) == self.replicates

    def keep(self, save: Callable[[], list[Path]], files: list[Path]) -> LightcollapseError | None:
        """Save something, noting its files; returns the error where that failed, so that nothing else is lost."""
        try:
            files.extend(save())
        except LightcollapseError as error:
            return error
        except OSError as error:
            return LightcollapseError(f"cannot write {self.folder.path}: {error.strerror or error}")
        return None

    def json(self, record: Record, comparison: Comparison, files: list[Path], error: LightcollapseError | None) -> str:
        """The JSON object: all rows, also of metrics that the table leaves out."""
        more: dict[str, Any] = {"files": [str(path) for path in files], "excerpts": list(record.excerpts)}
        done = len(record.replicates)
        if not self.whole(record):
            more |= {"ok": False, "error": {"kind": "interrupted", "message": self.interrupted(done)}}
        elif error is not None:
            more |= {"ok": False, "error": {"kind": "runtime", "message": str(error)}}
        rows = [view.as_dict(row) for row in comparison.rows]
        return envelope("run", rows, self.recipe | {"replicates": done}, **more)

    def farewell(self, record: Record, files: list[Path], error: LightcollapseError | None) -> int:
        """Say where things are; returns the exit code."""
        if files:
            talk(f"saved in {self.folder.path}: {' '.join(path.name for path in files)}")
        if error is not None:
            talk(f"error: {error}; choose another folder with -o (seed {record.seed} repeats this run)")
        if not self.whole(record):
            talk(self.interrupted(len(record.replicates)))
            return INTERRUPTED
        return 0 if error is None else error.exit_code

    def interrupted(self, done: int) -> str:
        return (
            f"interrupted after {done} of {self.replicates} replicates, which are kept; "
            f"the same command with --seed {self.seed} runs them all, these bit for bit as here"
        )


def _bytes(text: str) -> float:
    """`4G` as a number of bytes; units are powers of 1024. Raises CardError."""
    number, unit = text[:-1], text[-1:].upper()
    if unit.isdigit():
        number, unit = text, ""
    try:
        return float(number) * 1024.0 ** ("", "K", "M", "G", "T").index(unit)
    except ValueError:
        raise CardError(f"max-memory must be a number of bytes such as 500M or 4G, got {text!r}") from None


def _announced(kind: str, progress: Progress) -> bool:
    """Whether the kernels of a family are compiled already; says so where they are not."""
    from lightcollapse.compiler import mark

    noted = mark(kind)
    if noted is None:
        progress.announce(
            "no cache directory can be written: kernels are compiled in every run (set LIGHTCOLLAPSE_CACHE_DIR)"
        )
    elif not noted.exists():
        progress.announce("first use: compiling kernels, which takes some seconds once (`lightcollapse warm`: all)")
    else:
        progress.say("simulating")
        return True
    progress.say("compiling kernels")
    return False


def _watched(progress: Progress) -> contextlib.AbstractContextManager[object]:
    """Tells which kernel is being compiled."""
    progress.say("loading the compiler")
    from lightcollapse.cli.compilation import Compilation

    return Compilation(progress)
