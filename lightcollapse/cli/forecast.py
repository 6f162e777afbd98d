"""`lightcollapse forecast`: what generations of text to come will have lost."""

from __future__ import annotations

import csv
import io
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.cli import picture, table
from lightcollapse.cli.output import clean, envelope, write
from lightcollapse.cli.progress import Progress

if TYPE_CHECKING:
    from lightcollapse.forecasting import Driver, Forecast, Row

_EPILOG = """\b
Examples:
  lightcollapse forecast mybook.txt
  lightcollapse forecast mybook.txt --generations 5 --sample-size 1000
  lightcollapse forecast mybook.txt mybook.txt --chain --csv
  lightcollapse forecast mybook.txt --fresh 0.1 --metric entropy

\b
FILES are those of `measure`, the human baseline first. One file: the forecast
rests on its counts alone. More: effective sample size, temperature and fresh
share are estimated from them, and the forecast goes on from the last one.

\b
Files are samples, apart from what models learned, unless --chain says that
each is the very text that the next model learned from. What is forecast is
the vocabulary; how well a model writes is not.
"""
_COLUMNS = ("metric", "generation", "value", "ci_low", "ci_high", "note")
_MAIN = ("support", "entropy", "heterozygosity", "kl")
_LABELS = {"support": "types", "entropy": "entropy (nats)", "heterozygosity": "hetero- zygosity", "kl": "KL from human"}
_DRIVERS = {"effective_sample_size": "effective sample size", "temperature": "temperature", "fresh": "fresh share"}


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, metavar="FILES...")
@click.option("--generations", type=int, default=10, metavar="T", show_default=True, help="How many to come.")
@click.option("--sample-size", type=int, metavar="N", help="Tokens that each learns from.  [default: the last file's]")
@click.option("--fresh", type=float, metavar="F", help="Share of each training set that is fresh human text.")
@click.option("--temperature", type=float, metavar="TAU", help="Temperature at which each generation writes.")
@click.option("--chain", is_flag=True, help="Each file is what the next model learned from.")
@click.option("--baseline", metavar="FILE", help="The human baseline: generation 0.")
@click.option("--by", metavar="WHAT", help="What tells generations apart: generation, source or file.")
@click.option("--generation-from-filename", metavar="REGEX", help="The generation in a file's name, such as '(\\d+)'.")
@click.option("--unit", default="words", metavar="UNIT", show_default=True, help="words, chars or bytes.")
@click.option("--tokenizer", metavar="FILE", help="Tokens of a tokenizer.json instead (needs tokenizers).")
@click.option("--order", type=int, default=1, metavar="N", show_default=True, help="Length of the n-grams, 1 to 8.")
@click.option("--text-field", default="text", metavar="NAME", show_default=True, help="Field of JSON lines.")
@click.option("--generation-field", default="generation", metavar="NAME", show_default=True, help="The same.")
@click.option("--source-field", default="source", metavar="NAME", show_default=True, help="The same.")
@click.option("--errors", default="strict", metavar="WHAT", show_default=True, help="strict, replace or skip.")
@click.option("--max-bytes", type=int, default=2**30, metavar="N", show_default=True, help="Of all text, unpacked.")
@click.option("--seed", type=int, default=0, metavar="N", show_default=True, help="Of the halves of documents.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Show this metric (repeatable).")
@click.option("--figure", metavar="FILE", help="Draw it with its bands: .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated rows.")
def command(
    files: tuple[str, ...],
    metrics: tuple[str, ...],
    figure: str | None,
    as_json: bool,
    as_csv: bool,
    **options: Any,
) -> None:
    """Forecast the vocabulary of generations that are not written yet.

    Types, entropy, heterozygosity, divergence from the baseline, and how many of its rare types survive; each with a
    95 % interval for one run, which holds the luck of the run, what a sample does not say of its source, and the errors
    of what was estimated.
    """
    from lightcollapse.errors import CardError, nearest
    from lightcollapse.forecasting import forecast

    if not files and not options["baseline"]:
        raise click.UsageError("no FILES given", click.get_current_context())
    if as_json and as_csv:
        raise CardError("--json and --csv cannot both be printed; choose one")
    picture.check(figure)
    with Progress() as progress:
        progress.say("forecasting")
        found = forecast(list(files), **options)
    for metric in metrics:
        if metric not in found.metrics:
            raise CardError(f"no metric {metric!r} here; {nearest(metric, found.metrics)}")
    if figure is not None:
        from lightcollapse.plot import forecast_course

        picture.draw(figure, lambda: forecast_course(found, metrics), {"forecast": found.recipe})
    rows = [row for row in found.rows if not metrics or row.metric in metrics]
    if as_json:
        more = {"drivers": [asdict(driver) for driver in found.drivers],
                "trusted": {"generation": found.trusted, "rule": found.rule}}  # fmt: skip
        write(envelope("forecast", map(asdict, rows), found.recipe, warnings=list(found.warnings), **more))
    elif as_csv:
        write(_csv(rows))
    else:
        write(_text(found, metrics))


def _csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(["" if getattr(row, name) is None else getattr(row, name) for name in _COLUMNS])
    return out.getvalue().removesuffix("\n")


def _text(found: Forecast, metrics: tuple[str, ...]) -> str:
    recipe = found.recipe
    tokens = ", ".join(f"{size:,}" for size in recipe["tokens"][:8])
    parts = [f"{tokens} {recipe['unit']} known; each generation learns from {recipe['sample_size']:,}"]
    drivers = [_driver(driver) for driver in found.drivers if driver.first is None]
    if drivers:
        parts.append("Measured, a generation\n" + "\n".join(f"  {line}" for line in drivers))
    if metrics:
        parts.append(_table(found, metrics))
    else:
        parts.append(_table(found, _MAIN))
        kept = [metric for metric in found.metrics if metric.startswith("kept_")][:4]
        if kept:
            parts.append("Share of the baseline's types that still occur, by how often it has them\n"
                         + _table(found, kept))  # fmt: skip
    parts.append(_legend(found, metrics))
    return "\n\n".join(parts)


def _driver(driver: Driver) -> str:
    def shown(value: float | None) -> str:
        return "any" if value is None else table.number(value, 3 if value < 100 else 0)

    name = _DRIVERS[driver.name]
    return f"{name:<22}{shown(driver.value):>9}   95 %: {shown(driver.ci_low)} to {shown(driver.ci_high)}"


def _table(found: Forecast, metrics: tuple[str, ...] | list[str]) -> str:
    generations = tuple(dict.fromkeys(row.generation for row in found.rows))
    shown = generations if len(generations) <= 13 else (*generations[:6], *generations[6::5])
    marks = tuple(f"{g}{'!' if g > found.trusted else ''}" for g in shown)
    rows = {(row.metric, row.generation): row for row in found.rows}
    blocks: list[table.Block] = [(table.Column("gen.", "", marks),)]
    for metric in metrics:
        if metric in found.metrics:
            label = _LABELS.get(metric, f"seen {metric.removeprefix('kept_')}")
            blocks.append((table.Column(label, "", _cells([rows[metric, g] for g in shown])),))
    while len(blocks) > 2 and table.width(blocks) > table.WIDTH:
        blocks.pop()
    return table.render(blocks)


def _cells(rows: list[Row]) -> tuple[str, ...]:
    halves = sorted((r.ci_high - r.ci_low) / 2 for r in rows if r.ci_high is not None and r.ci_low is not None)
    place = table.decimals_of(halves[len(halves) // 2]) if halves and halves[len(halves) // 2] > 0 else None
    cells = []
    for row in rows:
        if row.value is None:
            cells.append("-*")
        elif row.ci_low is None or row.ci_high is None:
            cells.append(table.number(row.value, place))
        else:
            low, high = (table.number(value, place) for value in (row.ci_low, row.ci_high))
            cells.append(f"{table.number(row.value, place)} ({low}-{high})")
    return tuple(cells)


def _legend(found: Forecast, metrics: tuple[str, ...]) -> str:
    last = max(row.generation for row in found.rows)
    lines = ["value (95 % interval for one run); the first row is what is known"]
    if not metrics:
        lines[0] += ". All metrics: --json or --csv; one: --metric NAME."
    if found.trusted < last:
        lines.append(f"! do not trust beyond generation {found.trusted}: {found.rule}")
    notes = dict.fromkeys(row.note for row in found.rows if row.note and (not metrics or row.metric in metrics))
    lines += [f"* {note}" for note in notes]
    lines += [f"warning: {warning}" for warning in found.warnings]
    return "\n".join(textwrap.fill(clean(line), table.WIDTH, subsequent_indent="  ") for line in lines)
