"""`lightcollapse validate`: a language model's later generations, forecast from its first three and held to them."""

from __future__ import annotations

import csv
import io
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.cli import card as cards
from lightcollapse.cli import table, view
from lightcollapse.cli.output import clean, envelope, write
from lightcollapse.cli.progress import Progress

if TYPE_CHECKING:
    from lightcollapse.forecasting import Driver
    from lightcollapse.validation import Departure, Held, Validation

_EPILOG = """\b
Examples:
  lightcollapse validate text --set family.order=1 --set family.smoothing=ml
  lightcollapse validate words --generations 6 --order 1 --order 2
  lightcollapse validate transformer-tiny --generations 10 -o kept
  lightcollapse validate transformer-small --regime fresh-fraction:0.05 --json

\b
The forecast sees texts alone: those of generations 0 (people) to 2. It takes
models for writers who draw n-grams by their frequencies; where a model does
otherwise the numbers say how: an effective sample size below the number of
tokens, a temperature other than 1, fresh n-grams that nobody gave it.
With -o a transformer's models are kept there, and a run goes on from them.
"""
_SHOWN = ("support", "entropy", "kl")
_LABELS = {"support": "distinct", "entropy": "entropy, nats", "kl": "KL from human", "heterozygosity": "heterozygosity"}
_COLUMNS = ("order", "metric", "generation", "truth", "expected", "ci_low", "ci_high", "inside", "trusted")


@click.command(epilog=_EPILOG)
@cards.options
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=1, metavar="N", show_default=True, help="Of the run."
)
@click.option("--replicate", type=click.IntRange(0), default=0, metavar="R", show_default=True, help="Which one.")
@click.option(
    "--order", "orders", type=click.IntRange(1, 8), multiple=True, help="Length of n-grams.  [default: 1 to 4]"
)
@click.option("-o", "--output", metavar="DIR", help="Keep a transformer's models there; go on from those it holds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated rows.")
def command(
    card: str,
    settings: tuple[str, ...],
    regime: str | None,
    curation: tuple[str, ...],
    sample_size: str | None,
    generations: int | None,
    corpus: str | None,
    seed: int,
    replicate: int,
    orders: tuple[int, ...],
    output: str | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Run a card of language models, forecast generations 3 and later from the texts of generations 0 to 2 by the
    theory of drift, and print forecast against truth, the coverage, and how the models depart from drift.
    """
    from lightcollapse.cli.folder import recipe
    from lightcollapse.errors import CardError
    from lightcollapse.validation import ORDERS, validate

    if as_json and as_csv:
        raise CardError("--json and --csv cannot both be printed; choose one")
    chosen = cards.load(card, cards.Overrides(settings, regime, sample_size, generations, corpus, curation))
    with Progress() as progress:
        progress.say("writing")
        found = validate(
            chosen.scenario, seed, replicate=replicate, orders=tuple(dict.fromkeys(orders)) or ORDERS,
            checkpoints=output, progress=progress.count,
        )  # fmt: skip
    if as_json:
        more = {"departures": [asdict(one) for one in found.departures], "coverage": _coverages(found)}
        write(
            envelope("validate", map(asdict, found.rows), recipe(chosen, seed, None) | {"replicate": replicate}, **more)
        )
    elif as_csv:
        write(_csv(found.rows))
    else:
        head = view.head(chosen.title, cards.describe(chosen.scenario), f"replicate {replicate}, seed {seed}")
        write("\n\n".join([head, *_text(found)]))


def _csv(rows: tuple[Held, ...]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(["" if getattr(row, name) is None else getattr(row, name) for name in _COLUMNS])
    return out.getvalue().removesuffix("\n")


def _text(found: Validation) -> list[str]:
    parts = [
        "How the first three generations drift\n" + table.render(_departures(found.departures)),
    ]
    for departure in found.departures:
        title = f"{departure.tokens:,} {departure.order}-grams: what came, and the 95 % interval of the forecast"
        parts.append(f"{title}\n{table.render(_later(found, departure))}")
    parts.append("How many lay inside\n" + table.render(_inside(found)))
    parts.append("\n".join(_said(found)))
    return parts


def _departures(departures: tuple[Departure, ...]) -> list[table.Block]:
    """A line for each length of n-grams: size, drivers, new n-grams."""
    columns = {
        "n": [str(one.order) for one in departures],
        "effective sample size": [_driver(one, "effective_sample_size") for one in departures],
        "temperature": [_driver(one, "temperature") for one in departures],
        "fresh, %": [_driver(one, "fresh") for one in departures],
        "new, %": [f"{_mean(one.new[1:]):.1%}".removesuffix("%") for one in departures],
    }
    return [(table.Column(head, "", tuple(cells)),) for head, cells in columns.items()]


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / max(1, len(values))


def _driver(departure: Departure, name: str) -> str:
    one = next((driver for driver in departure.drivers if driver.name == name), None)
    if one is None or one.value is None:
        return "-"
    ends = (one.ci_low, one.ci_high)
    low, high = ("any" if end is None else _number(one, end) for end in ends)
    return f"{_number(one, one.value)} ({low}-{high})"


def _number(driver: Driver, value: float) -> str:
    formats = {"effective_sample_size": "{:,.0f}", "fresh": "{:.1%}", "temperature": "{:.3f}"}
    return formats[driver.name].format(value).removesuffix("%")


def _later(found: Validation, departure: Departure) -> list[table.Block]:
    rows = {(row.metric, row.generation): row for row in found.rows if row.order == departure.order}
    generations = tuple(sorted({t for _, t in rows}))
    marks = tuple(f"{t}{'' if t <= departure.trusted else '!'}" for t in generations)
    blocks: list[table.Block] = [(table.Column("gen.", "", marks),)]
    for metric in _SHOWN:
        mine = [rows[metric, t] for t in generations]
        blocks.append((
            table.Column(_LABELS[metric], "came", tuple(_truth(row) for row in mine)),
            table.Column(_LABELS[metric], "forecast", tuple(_forecast(row) for row in mine)),
        ))  # fmt: skip
    return blocks


def _truth(row: Held) -> str:
    if row.truth is None:
        return "-"
    return f"{_figure(row, row.truth)}{'x' if row.inside is False else ' '}"


def _forecast(row: Held) -> str:
    if row.ci_low is None or row.ci_high is None:
        return "-"
    return f"{_figure(row, row.ci_low)}-{_figure(row, row.ci_high)}"


def _figure(row: Held, value: float) -> str:
    return f"{value:.0f}" if row.metric == "support" else f"{value:.3f}"


def _inside(found: Validation) -> list[table.Block]:
    from lightcollapse.validation import METRICS

    def cells(order: int | None) -> tuple[str, ...]:
        return tuple("{} of {}".format(*found.coverage(metric, order)) for metric in (*METRICS, None))

    columns = {"": (*(_LABELS[metric] for metric in METRICS), "all")}
    columns |= {f"{departure.order}-grams": cells(departure.order) for departure in found.departures}
    columns["all"] = cells(None)
    return [(table.Column(head, "", column),) for head, column in columns.items()]


def _coverages(found: Validation) -> list[dict[str, Any]]:
    from lightcollapse.validation import METRICS

    return [
        {"metric": metric, "order": departure.order, "trusted": trusted, "inside": inside, "of": of}
        for departure in found.departures
        for metric in METRICS
        for trusted in (False, True)
        for inside, of in [found.coverage(metric, departure.order, trusted)]
    ]


def _said(found: Validation) -> list[str]:
    """The legend, and in words where models depart from drift."""
    lines = ["x: outside the interval. new: share of n-grams, from generation 2 on, that the text before lacks."]
    for one in found.departures:
        if one.trusted < found.generations:
            lines.append(f"! {one.order}-grams: do not trust beyond generation {one.trusted}: {one.rule}")
    lines += [text for one in found.departures for text in _departs(one)]
    return [textwrap.fill(clean(line), table.WIDTH, subsequent_indent="  ") for line in lines]


def _departs(one: Departure) -> list[str]:
    """What a model does that no drift would, for n-grams of one length."""
    drivers = {driver.name: driver for driver in one.drivers}
    size, heat, fresh = (drivers.get(name) for name in ("effective_sample_size", "temperature", "fresh"))
    found = []
    if size is not None and size.value is not None and size.ci_high is not None and size.ci_high < one.tokens:
        found.append(f"drift is that of {size.value:,.0f} tokens, not {one.tokens:,}")
    if heat is not None and heat.ci_high is not None and heat.ci_high < 1.0:
        found.append(f"frequent n-grams gain (temperature {heat.value:.3f})")
    if heat is not None and heat.ci_low is not None and heat.ci_low > 1.0:
        found.append(f"frequent n-grams lose (temperature {heat.value:.3f})")
    if fresh is not None and fresh.ci_low is not None and fresh.ci_low > 0.0:
        found.append(f"as if {fresh.value:.1%} were drawn from elsewhere")
    new = _mean(one.new[1:])
    if new > 0.0:
        found.append(f"{new:.1%} of what is written is new")
    return [f"{one.order}-grams: " + "; ".join(found)] if found else [f"{one.order}-grams: as drift has it"]
