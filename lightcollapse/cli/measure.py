"""`lightcollapse measure`: how far generations of text have collapsed, against the human baseline."""

from __future__ import annotations

import csv
import io
import shlex
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.cli import table
from lightcollapse.cli.failure import talk
from lightcollapse.cli.output import clean, envelope, write
from lightcollapse.cli.progress import Progress

if TYPE_CHECKING:
    from lightcollapse.text import Measurement, Row

Command = Callable[..., Any]

_EPILOG = """\b
Examples:
  lightcollapse measure mybook.txt
  lightcollapse measure mybook.txt mybook.txt --unit chars --order 3
  lightcollapse measure mybook.txt mybook.txt --metric distinct_4 --csv
  lightcollapse measure mybook.txt --save-counts mybook.counts

\b
FILES: human.jsonl gen1.jsonl gen2.txt (a generation each, the baseline
first), folders (a generation each), one folder of folders, one JSON-lines
file whose records have a field `generation`, or - for standard input. Plain
text is cut at blank lines, a JSON list into its items; .gz, .xz and .zst are
unpacked (.zst and Parquet need an extra, and say which). Files larger than
memory are sorted on disk.

\b
Give a baseline that the models were not trained on: what a model has copied
from it looks like less collapse.
"""
_COLUMNS = ("metric", "generation", "value", "ci_low", "ci_high", "change", "change_low", "change_high", "note")
_BANDS_SHOWN = 6
_LABELS = {
    "distinct": "distinct {n}-grams",
    "support": "{n}-grams in all",
    "chao1": "{n}-grams, at least",
    "missing_mass": "mass unseen, {n}-grams",
    "entropy": "{n}-gram entropy",
    "heterozygosity": "{n}-gram heterozygosity",
    "kept": "{n}-grams kept",
    "overlap": "{n}-grams found elsewhere",
    "repeated": "{n}-grams repeated",
    "kl_source_model": "KL human to it, {n}-grams",
    "kl_model_source": "KL it to human, {n}-grams",
    "kl_previous": "KL from previous, {n}-grams",
    "js": "JS human, {n}-grams",
    "rare_retention": "rare {n}-grams kept",
    "shrinkage": "seen {n} times",
    "rare_perplexity": "rare-token perplexity",
    "reverse_perplexity": "perplexity of it",
    "perplexity": "perplexity of human",
    "length": "symbols a document",
    "duplicates": "duplicate documents",
    "copied": "copied from human",
    "compression": "compression ratio",
}
_MEASURED = (
    click.option("--baseline", metavar="FILE", help="The human baseline: generation 0."),
    click.option("--by", metavar="WHAT", help="What tells generations apart: generation, source or file."),
    click.option(
        "--generation-from-filename", metavar="REGEX", help="The generation in a file's name, such as '(\\d+)'."
    ),
    click.option("--unit", default="words", metavar="UNIT", show_default=True, help="words, chars or bytes."),
    click.option("--tokenizer", metavar="FILE", help="Tokens of a tokenizer.json instead (extra: tokenizers)."),
    click.option("--order", type=int, default=4, metavar="N", show_default=True, help="Longest n-grams, 1 to 8."),
    click.option(
        "--entropy", default="chao-wang-jost", metavar="NAME", show_default=True, help="Estimator of entropy."
    ),
    click.option(
        "--bootstrap", type=int, default=100, metavar="B", show_default=True, help="Resamples of the documents."
    ),
    click.option("--text-field", default="text", metavar="NAME", show_default=True, help="Field of JSON lines."),
    click.option("--generation-field", default="generation", metavar="NAME", show_default=True, help="The same."),
    click.option("--source-field", default="source", metavar="NAME", show_default=True, help="The same."),
    click.option("--errors", default="strict", metavar="WHAT", show_default=True, help="strict, replace or skip."),
    click.option("--max-bytes", type=int, default=2**30, metavar="N", show_default=True, help="Of all text, unpacked."),
    click.option("--seed", type=int, default=0, metavar="N", show_default=True, help="Of all that is random."),
)


def measured_options(verb: Command) -> Command:
    """Add the options that say how texts are read and measured, as `lightcollapse.measure` takes them."""
    for option in reversed(_MEASURED):
        verb = option(verb)
    return verb


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, metavar="FILES...")
@measured_options
@click.option("--save-counts", metavar="FILE", help="Save the counts in a .counts file, to merge with others.")
@click.option("--approximate", is_flag=True, help="Numbers of n-grams only, by sketches (extra: sketch).")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Show this metric (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated rows.")
def command(files: tuple[str, ...], metrics: tuple[str, ...], as_json: bool, as_csv: bool, **options: Any) -> None:
    """Measure collapse in your own generations of text, against the human baseline.

    Per generation: distinct n-grams at equal sample size, entropy, divergence from the baseline beside the noise floor
    (the baseline against itself), perplexity, what is left of what is rare, repetition. Each with a 95 % interval over
    documents.
    """
    from lightcollapse.errors import CardError

    if not files and not options["baseline"]:
        raise click.UsageError("no FILES given", click.get_current_context())
    counts = [file for file in (options["baseline"], *files) if file and file.endswith(".counts")]
    if counts:
        raise CardError(f"files of counts are measured by: lightcollapse merge {shlex.join(counts)}; got {counts[0]!r}")
    report("measure", "measuring", files, metrics, as_json, as_csv, options)


def report(
    verb: str, doing: str, files: Sequence[str], metrics: Sequence[str], as_json: bool, as_csv: bool,
    options: dict[str, Any],
) -> None:  # fmt: skip
    """Measure the files, of texts or of counts, and print what was asked for."""
    from lightcollapse.text import measure

    one_of(as_json, as_csv)
    with Progress() as progress:
        progress.say(doing)
        found = measure(list(files), **options)
    if options["save_counts"]:
        talk(f"counts are in {options['save_counts']}")
    show(found, verb, metrics, as_json=as_json, as_csv=as_csv)


def one_of(as_json: bool, as_csv: bool) -> None:
    """Raises CardError where both are asked for."""
    from lightcollapse.errors import CardError

    if as_json and as_csv:
        raise CardError("--json and --csv cannot both be printed; choose one")


def show(found: Measurement, verb: str, metrics: Sequence[str], *, as_json: bool, as_csv: bool) -> None:
    """Print a measurement, all of it or some metrics, as a table, JSON or CSV."""
    from lightcollapse.errors import CardError, nearest

    for metric in metrics:
        if metric not in found.metrics:
            raise CardError(f"no metric {metric!r} here; {nearest(metric, found.metrics)}")
    rows = [row for row in found.rows if not metrics or row.metric in metrics]
    if as_json:
        write(envelope(verb, map(asdict, rows), found.recipe, warnings=list(found.warnings)))
    elif as_csv:
        write(_csv(rows))
    else:
        write(_text(found, metrics))


def _csv(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([cell(getattr(row, name)) for name in _COLUMNS])
    return out.getvalue().removesuffix("\n")


def cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, str):
        value = clean(value).replace("\n", " ").replace("\t", " ")
        return f"'{value}" if value.startswith(("=", "+", "-", "@")) else value
    return "" if value is None else value


def _text(found: Measurement, metrics: Sequence[str]) -> str:
    recipe = found.recipe
    if not found.rows:
        return "\n".join(textwrap.fill(clean(f"warning: {warning}"), table.WIDTH) for warning in found.warnings)
    parts = [_head(recipe)]
    if metrics:
        parts.append(_table(found, metrics))
    elif recipe.get("approximate"):
        for n in range(1, recipe["order"] + 1):
            parts.append(_table(found, (f"support_{n}", f"kept_{n}")))
    else:
        n, rare = recipe["order"], recipe["rare_order"]
        two = min(2, n)
        groups = {
            "What is left": (f"distinct_{n}", f"entropy_{two}", f"rare_retention_{rare}", "rare_perplexity",
                             "perplexity"),
            "How far from the baseline": (f"kl_source_model_{two}", f"kl_model_source_{two}", "js_1",
                                          "reverse_perplexity"),
            "Repetition": (f"repeated_{n}", f"overlap_{n}", "duplicates", "compression", "length"),
        }  # fmt: skip
        parts += [f"{title}\n{_table(found, names)}" for title, names in groups.items()]
        bands = [metric for metric in found.metrics if metric.startswith("shrinkage_")][:_BANDS_SHOWN]
        if bands and len(found.generations) > 1:
            parts.append(f"Probability of {_what(rare)} by how often half of the baseline has them (1: as there)\n"
                         + _table(found, bands))  # fmt: skip
    parts.append(_legend(found, metrics))
    return "\n\n".join(parts)


def _what(order: int) -> str:
    return "words" if order == 1 else f"{order}-grams"


def _head(recipe: dict[str, Any]) -> str:
    lines = []
    for generation in recipe["generations"][:20]:
        lines.append(
            f"{clean(str(generation['generation']))[:20]:>4}  "
            + (f"{generation['documents']:,} documents, " if generation["documents"] is not None else "")
            + f"{generation['symbols']:,} {recipe['unit']}"
        )
    if len(recipe["generations"]) > 20:
        lines.append(f"      and {len(recipe['generations']) - 20} more")
    return "\n".join(lines)


def _table(found: Measurement, metrics: Sequence[str]) -> str:
    names = found.generations
    rows = {(row.metric, row.generation): row for row in found.rows}
    blocks: list[table.Block] = [
        (table.Column("gen.", "", tuple(table.shorten(clean(str(name)), 12) for name in names)),)
    ]
    for metric in metrics:
        if metric not in found.metrics:
            continue
        cells = _cells([rows[metric, name] for name in names])
        blocks.append((table.Column(_label(metric), "", cells),))
    while len(blocks) > 2 and table.width(blocks) > table.WIDTH:
        blocks.pop()
    return table.render(blocks)


def _label(metric: str) -> str:
    name, _, n = metric.rpartition("_")
    if name in _LABELS:
        return _LABELS[name].format(n=n).replace("1-grams", "symbols").replace("1-gram", "symbol")
    return _LABELS.get(metric, metric)


def _cells(rows: Sequence[Row]) -> tuple[str, ...]:
    halves = [(row.ci_high - row.ci_low) / 2 for row in rows if row.ci_high is not None and row.ci_low is not None]
    known = sorted(half for half in halves if half > 0)
    place = table.decimals_of(known[len(known) // 2]) if known else None
    if place is not None and place > 4:
        place = 4
    return tuple(_shown(row, place) for row in rows)


def _shown(row: Row, place: int | None) -> str:
    if row.value is None:
        return "-*"
    star = "*" if row.doubtful else ""
    shown = table.number(row.value, place)
    if row.ci_low is None or row.ci_high is None or row.ci_high == row.ci_low:
        return f"{shown}{star}"
    return f"{shown} ±{table.number((row.ci_high - row.ci_low) / 2, place)}{star}"


def _legend(found: Measurement, metrics: Sequence[str]) -> str:
    recipe = found.recipe
    lines = []
    if recipe["bootstrap"]:
        lines.append(f"value ±half of its 95 % interval ({recipe['bootstrap']} random halves of the documents)")
    if recipe.get("approximate"):
        lines.append("n-grams of each generation at its own size, and the share of the baseline's that it has too")
    elif not metrics:
        points = recipe["levels"][-1]["points"]
        lines.append(
            f"distinct: among {points:,} n-grams of each generation. KL in nats; its first row is the noise floor, two "
            "halves of the baseline. Rare: the rarest types of half of the baseline, looked for in the other half "
            "(first row) and in each generation. All metrics: --json or --csv; one: --metric NAME."
        )
    shown = [row for row in found.rows if not metrics or row.metric in metrics]
    notes = dict.fromkeys(row.note for row in shown if row.doubtful)
    if notes:
        lines.append(
            "* " + ("; ".join(list(notes)[:6]) if metrics else "not to be trusted or missing: why is in --csv")
        )
    lines += [f"warning: {warning}" for warning in found.warnings]
    return "\n".join(textwrap.fill(clean(line), table.WIDTH, subsequent_indent="  ") for line in lines)
