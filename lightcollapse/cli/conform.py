"""`lightcollapse conform`: hold every theorem against the simulation, here and now."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.cli import table
from lightcollapse.cli.output import envelope, write
from lightcollapse.cli.progress import Progress

if TYPE_CHECKING:
    from lightcollapse.conform import Verdict

FAILED = 3
_EPILOG = """\b
Examples:
  lightcollapse conform --only gaussian-replace
  lightcollapse conform --replicates 500 --seed 7
  lightcollapse conform --only islands --json

\b
Exit code 3: some claim does not stand.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--replicates", type=click.IntRange(2), default=2000, metavar="R", show_default=True, help="Chains a card."
)
@click.option("--seed", type=int, default=1, metavar="N", show_default=True, help="Whole number in [0, 2^64).")
@click.option("--only", default="", metavar="TEXT", help="Theorems whose name contains this.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(ctx: click.Context, replicates: int, seed: int, only: str, as_json: bool) -> None:
    """Try every theorem on small cards.

    A line a theorem: simulated beside predicted where they differ most, an exact p-value (of an approximation its
    error), and whether a plausible mistake, the near miss, falls by the same test.
    """
    from lightcollapse.conform import ALPHA, conform
    from lightcollapse.errors import CardError, nearest
    from lightcollapse.theorems import THEOREMS

    names = [row.name for row in THEOREMS]
    if not any(only in name for name in names):
        guess = nearest(only, names).split("Known: ")[0]
        raise CardError(f"no theorem has {only!r} in its name; {guess}`lightcollapse theory` lists them")
    with Progress() as progress:
        progress.say("trying theorems")
        verdicts = conform(replicates, seed, only, progress.count)
    rows = [_row(verdict) for verdict in verdicts]
    if not only:
        from lightcollapse.cli.theory import remember

        remember(rows)
    if as_json:
        recipe = {"replicates": replicates, "seed": seed, "only": only, "alpha": ALPHA}
        write(envelope("conform", rows, recipe, ok=all(verdict.holds for verdict in verdicts)))
    else:
        write("\n".join([_HEAD, *map(_line, verdicts), "", _summary(verdicts)]))
    ctx.exit(0 if all(verdict.holds for verdict in verdicts) else FAILED)


def _row(verdict: Verdict) -> dict[str, Any]:
    row = verdict.theorem
    return {
        "theorem": row.name,
        "family": row.family,
        "metric": row.metric,
        "kind": row.kind,
        **{name: value for name, value in vars(verdict).items() if name != "theorem"},
    }


_NAME = 34
_HEAD = f"{'theorem':{_NAME}}  {'gen.':>4} {'simulated':>10} {'predicted':>10} {'p or error':>10}  miss"


def _line(verdict: Verdict) -> str:
    name = textwrap.shorten(verdict.theorem.name, _NAME, placeholder="..")
    if verdict.cards == 0 or verdict.generation is None:
        return f"{name:{_NAME}}  not tried: no card small enough reaches it"
    shown = f"{verdict.p_value:.2g}" if verdict.p_value is not None else f"{100 * (verdict.error or 0.0):.2g} %"
    miss = {True: "falls", False: "stands", None: ""}[verdict.near_miss]
    flag = "" if verdict.holds else "  FAILS"
    return (
        f"{name:{_NAME}}  {verdict.generation:4d} {table.number(verdict.simulated or 0.0):>10} "
        f"{table.number(verdict.predicted or 0.0):>10} {shown:>10}  {miss}{flag}"
    )


def _summary(verdicts: list[Verdict]) -> str:
    from lightcollapse.conform import ALPHA

    checks = sum(verdict.checks for verdict in verdicts)
    least = min((verdict.p_value for verdict in verdicts if verdict.p_value is not None), default=1.0)
    tried = [verdict for verdict in verdicts if verdict.near_miss is not None]
    stands = [verdict for verdict in tried if not verdict.near_miss]
    failed = [verdict for verdict in verdicts if not verdict.holds]
    text = (
        f"{len(verdicts)} theorems, {len(tried)} tried, {checks} exact checks; least p {least:.2g}, times checks "
        f"{min(1.0, least * checks):.2g} (budget {ALPHA:g}); {len(tried) - len(stands)} near misses fall, "
        f"{len(stands)} stand for want of replicates. " + (f"{len(failed)} fail." if failed else "Every claim stands.")
    )
    return textwrap.fill(text, table.WIDTH)
