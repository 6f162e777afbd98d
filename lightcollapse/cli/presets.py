"""`lightcollapse presets`: the built-in cards."""

from __future__ import annotations

import tomllib

import click

from lightcollapse.cli import card as cards
from lightcollapse.cli.output import envelope, write

_EPILOG = """\b
Examples:
  lightcollapse presets
  lightcollapse presets gaussian
  lightcollapse presets zipf --json
"""


@click.command(epilog=_EPILOG)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the built-in cards, or print the one called NAME as TOML: a start for a card of your own."""
    names = cards.preset_names() if name is None else [name]
    tables = {one: tomllib.loads(cards.preset_text(one)) for one in names}
    if as_json:
        rows = [{"name": one, "title": data["run"]["title"], "card": data} for one, data in tables.items()]
        write(envelope("presets", rows))
    elif name is not None:
        write(cards.preset_text(name).rstrip("\n"))
    else:
        wide = max(map(len, names))
        write("\n".join(f"{one:{wide}}  {data['run']['title']}" for one, data in tables.items()))
