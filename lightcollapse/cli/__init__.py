"""The command line. A verb is one module beside this and one line in VERBS; it is imported when it is called.

Data goes to stdout, talk to stderr. Exit codes: 0 ok, 1 run-time error, 2 usage or card, 3 a check failed, 4 bad input
data, 5 missing extra, 6 a limit was hit, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

VERBS = {
    "run": "Simulate a card, with the theory beside it.",
    "predict": "The theory alone: closed forms, at once.",
    "measure": "Measure collapse in your own generations of text.",
    "forecast": "Forecast generations of text that are not written yet.",
    "plan": "Plan how much fresh human text keeps collapse away.",
    "check": "Check generations of text against limits, for pipelines.",
    "certify": "Certify the provenance of texts: declared, and measured.",
    "validate": "Hold forecasts to what language models go on to write.",
    "merge": "Add counts that measure saved on several machines.",
    "presets": "List the built-in cards, or print one.",
    "matrix": "Show which families, regimes and curations fit together.",
    "theory": "List the theorems.",
    "reproduce": "Run published experiments again, with a verdict on each number.",
    "warm": "Compile all kernels now, so that later runs start at once.",
    "figure": "Draw a figure of the gallery, or a saved one again.",
    "conform": "Hold every theorem against the simulation, here and now.",
    "explain": "Say what a metric, regime, family or theorem is.",
    "doctor": "Show versions, threads, caches and devices.",
}

_EPILOG = """\b
Examples:
  lightcollapse run
  lightcollapse run gaussian --seed 7
  lightcollapse run text --corpus mybook.txt
  lightcollapse predict accumulate --generations 20
  lightcollapse explain heterozygosity

\b
Completion of names by the shell (bash; also zsh_source, fish_source):
  eval "$(_LIGHTCOLLAPSE_COMPLETE=bash_source lightcollapse)"

\b
Exit codes: 0 ok, 1 run-time error, 2 usage or card, 3 a check failed,
4 bad input data, 5 missing extra, 6 a limit was hit, 130 interrupted.
LIGHTCOLLAPSE_DEBUG=1 shows where an unexpected error came from.
"""


class Verbs(click.Group):
    """A group whose help names the verbs without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"lightcollapse.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from lightcollapse.errors import nearest

            raise click.UsageError(f"unknown verb {args[0]!r}; {nearest(args[0], VERBS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lightcollapse", message="%(prog)s %(version)s")
def cli() -> None:
    """Simulate, predict and measure model collapse: what happens to a model when each generation is trained on what
    the last one wrote.

    `lightcollapse VERB --help` explains a verb, with examples.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. No traceback reaches the user."""
    import gc
    import os

    from lightcollapse.cli import failure

    gc.set_threshold(100_000, 20, 20)  # imports and the compiler make many objects and little garbage: a tenth faster
    if arguments is None:
        os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")  # cycles, as a power of 2; its threads would spin longer
    given = list(sys.argv[1:] if arguments is None else arguments)
    with failure.guarded(given) as outcome:
        outcome.code = cli.main(args=given, prog_name="lightcollapse", standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    if arguments is None and "datasketches" not in sys.modules:  # which would tell of all that is left, line by line
        gc.freeze()  # else Python looks through all that the compiler made before it exits, for a quarter of a second
    return outcome.code
