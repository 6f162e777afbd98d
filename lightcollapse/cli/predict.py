"""`lightcollapse predict`: the theory alone."""

from __future__ import annotations

import click

from lightcollapse.cli import card as cards
from lightcollapse.cli import view
from lightcollapse.cli.output import envelope, write

_EPILOG = """\b
Examples:
  lightcollapse predict
  lightcollapse predict gaussian --sample-size 1000 --generations 20
  lightcollapse predict accumulate --json
  lightcollapse predict zipf --regime fresh-fraction:0.1 --metric entropy
"""


_SEED_HELP = "The seed that parts a text into what is learned from and held out.  [default: 0]"


@click.command(epilog=_EPILOG)
@cards.options
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, metavar="N", help=_SEED_HELP)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Show this metric (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def command(
    card: str,
    settings: tuple[str, ...],
    regime: str | None,
    curation: tuple[str, ...],
    sample_size: str | None,
    generations: int | None,
    corpus: str | None,
    seed: int,
    metrics: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print what the theory says of a card: exact expectations, approximations and bounds. Nothing is simulated."""
    from lightcollapse.cli.folder import recipe
    from lightcollapse.theorems import predict

    chosen = cards.load(card, cards.Overrides(settings, regime, sample_size, generations, corpus, curation))
    shown = view.headlines(chosen.scenario, metrics)
    predictions = predict(chosen.scenario, seed)
    rows = view.prediction_rows(predictions, chosen.scenario.metrics)
    if as_json:
        write(envelope("predict", rows, recipe(chosen, seed, None)))
        return
    known = [metric for metric in shown if metric in predictions]
    parts = [view.head(chosen.title, cards.describe(chosen.scenario))]
    if known:
        parts.append(view.predicted(rows, known, chosen.scenario.generations, bool(metrics)))
    missing = [metric for metric in shown if metric not in known]
    if missing:
        parts.append(view.head(f"no theorem here: {', '.join(missing)}"))
    write("\n\n".join(parts))
