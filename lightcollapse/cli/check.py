"""`lightcollapse check`: hold limits against generations of text, for pipelines."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import click

from lightcollapse.check import CRITERIA, FAIL, PASS, UNSURE, Criterion, Verdict, check, limits, names
from lightcollapse.cli import table
from lightcollapse.cli.measure import measured_options, one_of
from lightcollapse.cli.output import clean, envelope, write
from lightcollapse.cli.progress import Progress

FAILED = 3
_EPILOG = """\b
Examples:
  lightcollapse check mybook.txt mybook.txt --max-kl 0.1 --min-distinct4 0.9
  lightcollapse check mybook.txt mybook.txt --max-repeated 0.5 --json

\b
FILES are those of `lightcollapse measure`, the human baseline first.
A share is of the baseline's value; an excess is over the noise floor (the
baseline against itself). Nats are of single symbols, distinct and repeated
n-grams the longest; a digit takes others: --max-kl2, --min-distinct1.

\b
PASS or FAIL where the whole 95 % interval is on one side of the limit, UNSURE
where it covers it or the texts are too small or too unequal to compare.
Exit code 3: something fails; with --strict, or is unsure.
"""
_COLUMNS = ("generation", "criterion", "metric", "of", "value", "ci_low", "ci_high", "limit", "verdict", "note")
_COLOURS = {PASS: "green", FAIL: "red", UNSURE: "yellow"}
_OF = {"share": "Share of the baseline's.", "excess": "Excess.", "value": ""}


def limit_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for every name a limit can have; those with a digit are not listed."""
    shown = {criterion.name for criterion in CRITERIA}
    for name, (criterion, _) in reversed(names().items()):
        verb = click.option(f"--{name}", name.replace("-", "_"), type=float, metavar="X", help=_help(criterion),
                            hidden=name not in shown)(verb)  # fmt: skip
    return verb


def _help(criterion: Criterion) -> str:
    return " ".join(filter(None, (criterion.help, _OF[criterion.of])))


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, metavar="FILES...")
@limit_options
@click.option("--generation", metavar="NAME", help="Check this generation.  [default: all but the baseline]")
@click.option("--strict", is_flag=True, help="What is unsure fails.")
@measured_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated rows.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    generation: str | None,
    strict: bool,
    as_json: bool,
    as_csv: bool,
    **options: Any,
) -> None:
    """Check generations of text against limits, for pipelines: a line each, and an exit code."""
    from lightcollapse.text import measure

    given = {name: options.pop(name.replace("-", "_")) for name in names()}
    asked = {name: limit for name, limit in given.items() if limit is not None}
    if not asked:
        known = ", ".join(f"--{criterion.name}" for criterion in CRITERIA)
        raise click.UsageError(f"no limit given, such as --max-kl 0.1; known: {known}", ctx)
    if not files and not options["baseline"]:
        raise click.UsageError("no FILES given", ctx)
    one_of(as_json, as_csv)
    limits(asked, options["order"])  # a wrong limit is said before the texts are read
    with Progress() as progress:
        progress.say("measuring")
        found = measure(list(files), **options)
    verdicts = check(found, asked, generation)
    bad = any(verdict.verdict == FAIL or (strict and verdict.verdict == UNSURE) for verdict in verdicts)
    if as_json:
        recipe = found.recipe | {"limits": asked, "strict": strict}
        write(envelope("check", map(asdict, verdicts), recipe, ok=not bad, warnings=list(found.warnings)))
    elif as_csv:
        write(_csv(verdicts))
    else:
        write(_text(verdicts, found.warnings))
    ctx.exit(FAILED if bad else 0)


def _csv(verdicts: Sequence[Verdict]) -> str:
    from lightcollapse.cli.measure import cell

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for verdict in verdicts:
        writer.writerow([cell(getattr(verdict, name)) for name in _COLUMNS])
    return out.getvalue().removesuffix("\n")


def _text(verdicts: Sequence[Verdict], warnings: Sequence[str]) -> str:
    lines = [_line(verdict) for verdict in verdicts]
    counts = [f"{sum(verdict.verdict == word for verdict in verdicts)} {word}" for word in (PASS, FAIL, UNSURE)]
    said = [f"{verdict.criterion} of {verdict.generation}: {verdict.note}" for verdict in verdicts if verdict.note]
    lines += ["", ", ".join(counts) + ". Intervals of 95 %, each by itself."]
    for line in (*said, *(f"warning: {warning}" for warning in warnings)):
        lines.append(textwrap.fill(clean(line), table.WIDTH, subsequent_indent="  "))
    return "\n".join(lines)


def _line(verdict: Verdict) -> str:
    name = table.shorten(clean(str(verdict.generation)), 12)
    sign = "at most" if verdict.criterion.startswith("max-") else "at least"
    value = "not measured" if verdict.value is None else table.number(verdict.value)
    if verdict.ci_low is not None and verdict.ci_high is not None and verdict.ci_low != verdict.ci_high:
        value += f" [{table.number(verdict.ci_low)}, {table.number(verdict.ci_high)}]"
    word = click.style(f"{verdict.verdict:6}", fg=_COLOURS[verdict.verdict])
    return f"{word}  {name:>4}  {verdict.criterion:20} {value}, {sign} {verdict.limit:g}"
