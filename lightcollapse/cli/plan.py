"""`lightcollapse plan`: how much fresh human text keeps the vocabulary."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.cli import picture, table
from lightcollapse.cli.output import clean, envelope, write
from lightcollapse.cli.progress import Progress

if TYPE_CHECKING:
    from lightcollapse.planning import Need, Plan, Point

_EPILOG = """\b
Examples:
  lightcollapse plan mybook.txt --keep support=0.8 --generations 3
  lightcollapse plan mybook.txt --keep heterozygosity=0.999 --json
  lightcollapse plan mybook.txt --keep kl=0.5 --generations 2 --human-cost 1
  lightcollapse plan mybook.txt --keep support=0.8 --figure curve.svg

\b
--keep NAME=SHARE (repeatable): support, entropy or heterozygosity, as a share
of what human text of the same size has; kl=NATS is a divergence at most.
Pooled: so much of each training set is fresh human text, the rest written by
the last model. Weighted: the human text stands beside N written tokens, with
the weight that keeps the most.
"""
_COLUMNS = ("target", "wanted", "training", "horizon", "fraction", "tokens", "weight", "cost", "kept", "without",
            "verdict", "kind")  # fmt: skip


@click.command(epilog=_EPILOG)
@click.argument("file", metavar="FILE")
@click.option("--keep", multiple=True, required=True, metavar="NAME=X", help="What must stay (repeatable).")
@click.option("--generations", type=int, default=10, metavar="T", show_default=True, help="For how long.")
@click.option("--sample-size", type=int, metavar="N", help="Tokens of a training set.  [default: the file's]")
@click.option("--human-cost", type=float, metavar="C", help="Price of a human token.")
@click.option("--synthetic-cost", type=float, metavar="C", help="Price of a written token.")
@click.option("--unit", default="words", metavar="UNIT", show_default=True, help="words, chars or bytes.")
@click.option("--tokenizer", metavar="FILE", help="Tokens of a tokenizer.json instead (needs tokenizers).")
@click.option("--order", type=int, default=1, metavar="N", show_default=True, help="Length of the n-grams, 1 to 8.")
@click.option("--text-field", default="text", metavar="NAME", show_default=True, help="Field of JSON lines.")
@click.option("--errors", default="strict", metavar="WHAT", show_default=True, help="strict, replace or skip.")
@click.option("--max-bytes", type=int, default=2**30, metavar="N", show_default=True, help="Of all text, unpacked.")
@click.option("--figure", metavar="FILE", help="Draw what is kept against its cost: .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated rows.")
def command(file: str, keep: tuple[str, ...], figure: str | None, as_json: bool, as_csv: bool, **options: Any) -> None:
    """Say how little fresh human text keeps what must stay of the vocabulary, and what it costs."""
    from lightcollapse.errors import CardError
    from lightcollapse.planning import plan

    if as_json and as_csv:
        raise CardError("--json and --csv cannot both be printed; choose one")
    targets = dict(_target(text) for text in keep)
    picture.check(figure)
    with Progress() as progress:
        progress.say("planning")
        made = plan([file], keep=targets, **options)
    if figure is not None:
        from lightcollapse.plot import plan_curve

        picture.draw(figure, lambda: plan_curve(made), {"plan": made.recipe})
    rows = [_row(need) for need in made.needs]
    if as_json:
        curve = [asdict(point) for point in made.curve]
        write(envelope("plan", rows, made.recipe, warnings=list(made.warnings), sentence=made.sentence, curve=curve))
    elif as_csv:
        write(_csv(rows))
    else:
        write(_text(made))


def _target(text: str) -> tuple[str, float]:
    from lightcollapse.errors import CardError

    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise CardError(f"--keep must be NAME=NUMBER, such as support=0.9, got {text!r}") from None


def _row(need: Need) -> dict[str, Any]:
    row = asdict(need)
    row["horizon"] = "ever" if math.isinf(need.horizon) else int(need.horizon)
    return row


def _csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(["" if row[name] is None else row[name] for name in _COLUMNS])
    return out.getvalue().removesuffix("\n")


def _text(made: Plan) -> str:
    parts = [textwrap.fill(clean(made.sentence), table.WIDTH), _needs(made.needs), _curve(made.curve)]
    legend = [
        "tokens: fresh human text a generation; share: of the tokens of a training set (weighted: over the written "
        "ones beside it); kept: by the last model, of what one fitted on human text alone has; weight: of it in the "
        "fit; cost: for all generations, or one of endless ones. All but heterozygosity are approximations."
    ]
    legend += [f"note: {warning}" for warning in made.warnings]
    parts.append("\n".join(textwrap.fill(line, table.WIDTH, subsequent_indent="  ") for line in legend))
    return "\n\n".join(parts)


def _needs(needs: tuple[Need, ...]) -> str:
    def cells(name: str) -> tuple[str, ...]:
        return tuple(_cell(need, name) for need in needs)

    names = ["target", "training", "for", "tokens", "share", "weight", "cost", "kept", "without"]
    if all(need.cost is None for need in needs):
        names.remove("cost")
    blocks: list[table.Block] = [(table.Column(name, "", cells(name)),) for name in names]
    while table.width(blocks) > table.WIDTH:  # what fits, the rest is in --csv
        del blocks[5]
    return table.render(blocks)


def _cell(need: Need, name: str) -> str:
    places = 6 if need.target == "heterozygosity" else 4
    shown = {
        "target": f"{need.target[:14]} {'<' if need.target == 'kl' else ''}{need.wanted:g}",
        "training": need.training,
        "for": "ever" if math.isinf(need.horizon) else f"{need.horizon:.0f}",
        "tokens": "nothing suffices" if need.tokens is None else f"{need.tokens:,}",
        "share": "" if need.fraction is None else f"{need.fraction:.3g}",
        "weight": "" if need.weight is None else f"{need.weight:.3g}",
        "cost": "" if need.cost is None else f"{need.cost:.4g}",
        "kept": "" if need.kept is None else f"{need.kept:.{places}g}",
        "without": f"{need.without:.{places}g}",
    }
    return shown[name]


def _curve(curve: tuple[Point, ...]) -> str:
    points = [point for point in curve if point.training == "pooled"]
    columns = [("share fresh", [f"{point.fraction:.3g}" for point in points]),
               ("tokens", [f"{point.tokens:,}" for point in points])]  # fmt: skip
    if any(point.cost is not None for point in points):
        columns.append(("cost", [f"{point.cost:.4g}" for point in points]))
    for name in ("support", "entropy", "heterozygosity", "kl"):
        places = 6 if name == "heterozygosity" else 4
        columns.append((name, [f"{point.kept[name]:.{places}f}" for point in points]))
    blocks = [(table.Column(head, "", tuple(cells)),) for head, cells in columns]
    return "What pooled training keeps by the last generation\n" + table.render(blocks)
