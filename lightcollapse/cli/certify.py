"""`lightcollapse certify`: a provenance certificate, what is declared and apart from it what is measured."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import click

from lightcollapse.cli.failure import talk
from lightcollapse.cli.measure import measured_options
from lightcollapse.cli.output import clean, write
from lightcollapse.cli.progress import Progress

FAILED = 3
_SHOWN = 12
_EPILOG = """\b
Examples:
  lightcollapse certify mybook.txt --declare mybook.txt=human
  lightcollapse certify mybook.txt --name "My book" --format hf-card
  lightcollapse certify mybook.txt --declare mybook.txt=mixed --format html

\b
FILES are those of `lightcollapse measure`, the human baseline first. A record
declares what it is in its field `source`: human, synthetic, mixed or unknown;
other words by --label gpt=synthetic. Else its file's --declare counts.

\b
The certificate is Croissant 1.1 with PROV-O and IPTC digital source types. It
keeps what is declared apart from what is measured, and says whether they
agree. It cannot prove who wrote a text; nothing measured can.
"""


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("-o", "--output", metavar="FILE", help="Write the certificate here.  [default: standard output]")
@click.option("--format", "form", default="croissant", metavar="NAME", show_default=True,
              help="croissant, hf-card or html.")  # fmt: skip
@click.option("--declare", multiple=True, metavar="FILE=KIND", help="Who wrote a file (repeatable).")
@click.option("--label", multiple=True, metavar="SOURCE=KIND", help="What a source in records means (repeatable).")
@click.option("--parent", multiple=True, metavar="FILE=PARENT", help="What a file was made from (repeatable).")
@click.option("--chain", is_flag=True, help="Each generation was made from the one before.")
@click.option("--name", default="", metavar="TEXT", help="Name of the data.")
@click.option("--license", metavar="TEXT", help="Licence of the data, best the URL of a known one.")
@click.option("--url", metavar="URL", help="Page of the data.")
@click.option("--creator", metavar="TEXT", help="Who publishes the data.")
@click.option("--data-version", "version", metavar="TEXT", help="Version of the data, such as 1.0.0.")
@click.option("--date", metavar="DATE", help="When they were published, as 2026-01-31.  [default: not said]")
@click.option("--validate", "validated", is_flag=True, help="Have mlcroissant read it (extra: certificate).")
@click.option("--force", is_flag=True, help="Replace the output where it exists.")
@measured_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    output: str | None,
    form: str,
    declare: tuple[str, ...],
    label: tuple[str, ...],
    parent: tuple[str, ...],
    chain: bool,
    name: str,
    validated: bool,
    force: bool,
    **options: Any,
) -> None:
    """Certify the provenance of texts: hashes and declared sources, and apart from them what is measured."""
    from lightcollapse.certificate import FORMATS, certify, validate
    from lightcollapse.errors import CardError, nearest
    from lightcollapse.text.reading import extra

    if form not in FORMATS:
        raise CardError(f"unknown format {form!r}; {nearest(form, FORMATS)}")
    if output is not None:
        _free(output, (*files, *filter(None, [options["baseline"]])), force)
    if validated:
        extra("mlcroissant", "validating a certificate", "certificate")
    about = {key: options.pop(key) for key in ("license", "url", "creator", "version", "date")}
    with Progress() as progress:
        progress.say("reading and measuring")
        made = certify(files, declare=dict(_pair(text, "--declare", "FILE=human") for text in declare),
                       labels=dict(_pair(text, "--label", "gpt=synthetic") for text in label),
                       parents=[_pair(text, "--parent", "gen2.txt=gen1.txt") for text in parent], chain=chain,
                       name=name, about={key: value for key, value in about.items() if value}, **options)  # fmt: skip
    for warning in made.warnings:
        talk(f"warning: {clean(warning)}")
    if validated:
        version, errors, warnings = validate(made)
        for line in (*errors, *warnings)[:_SHOWN]:
            talk(f"mlcroissant: {clean(line)}")
        talk(f"mlcroissant {version}: {len(errors)} errors, {len(warnings)} warnings")
        if errors:
            ctx.exit(FAILED)
    text = FORMATS[form](made)
    if output is None:
        write(text.removesuffix("\n"))
    else:
        _keep(text, output, force)
        talk(f"the certificate is in {output}")
    for finding in made.findings:
        if finding.verdict in ("contradictory", "questionable"):
            what = "all" if finding.generation is None else f"generation {finding.generation}"
            talk(clean(f"{what}: {finding.verdict}: {finding.why}"))


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    from lightcollapse.errors import CardError

    left, sign, right = text.rpartition("=")
    if not sign or not left or not right:
        raise CardError(f"{option} must be two names with = between, such as {example}, got {text!r}")
    return left, right


def _free(output: str, files: tuple[str, ...], force: bool) -> None:
    """Raises CardError where the output is a text that is certified, or exists and may not be replaced."""
    from lightcollapse.errors import CardError

    path = Path(output)
    if not os.path.lexists(path):
        return
    if not path.is_file():
        raise CardError(f"{output!r} is there and no file; give another name")
    if any(os.path.exists(file) and path.exists() and path.samefile(file) for file in files):
        raise CardError(f"{output!r} is one of the texts; give another name")
    if not force:
        raise CardError(f"{output!r} exists; give another name, or --force to replace it")


def _keep(text: str, output: str, force: bool) -> None:
    """Write a new file, or replace an old one in one step: what was there is never half gone."""
    from lightcollapse.errors import LightcollapseError

    path = Path(output).resolve() if force else Path(output)
    target = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    begun = False
    try:
        with open(target, "x", encoding="utf-8", newline="\n") as file:
            begun = True
            file.write(text)
        if force:
            os.replace(target, path)
    except BaseException as error:
        if begun:
            with contextlib.suppress(OSError):
                target.unlink()
        if not isinstance(error, OSError):
            raise
        raise LightcollapseError(f"cannot write {output!r}: {error.strerror or error}") from None
