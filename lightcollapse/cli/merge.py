"""`lightcollapse merge`: add counts of n-grams that were saved on several machines, and measure the sum."""

from __future__ import annotations

from typing import Any

import click

from lightcollapse.cli.measure import report

_EPILOG = """\b
Examples:
  lightcollapse merge mybook.counts
  lightcollapse merge mybook.counts mybook.counts -o both.counts

\b
FILES: what `measure --save-counts` wrote, of one unit (or tokenizer) and one
order. Generations of one name are added. A document in two files counts
twice. Perplexity needs texts and is not measured.

\b
Files of `measure --approximate --save-counts` are merged in the same way.
"""


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("-o", "--output", "save_counts", metavar="FILE", help="Save the sum in this .counts file.")
@click.option("--entropy", default="chao-wang-jost", metavar="NAME", show_default=True, help="Estimator of entropy.")
@click.option("--bootstrap", type=int, default=100, metavar="B", show_default=True, help="Resamples of the documents.")
@click.option("--seed", type=int, default=0, metavar="N", show_default=True, help="Of all that is random.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Show this metric (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated rows.")
def command(files: tuple[str, ...], metrics: tuple[str, ...], as_json: bool, as_csv: bool, **options: Any) -> None:
    """Add counts that `measure --save-counts` saved, on one machine or many, and measure the sum.

    The result is what one measurement of all their texts would have counted.
    """
    from lightcollapse.errors import CardError

    for file in files:
        if not file.endswith(".counts"):
            raise CardError(f"merge adds files of counts, whose names end in .counts, got {file!r}")
    report("merge", "merging", files, metrics, as_json, as_csv, options)
