"""From what a user typed to a card: a preset or a file, and what overrides it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightcollapse.errors import CardError, DataError, nearest
from lightcollapse.presets import choose
from lightcollapse.presets import preset_names as preset_names
from lightcollapse.presets import preset_text as preset_text

if TYPE_CHECKING:
    from lightcollapse.scenario import Scenario

DEFAULT = "text"
_AXES = ("source", "family", "regime")
_RUN = ("replicates", "title")
_GROWTHS = ("linear", "quadratic", "geometric")
_MAXIMUM_BYTES = 2**20  # a card is a page, and a wrong file can be huge


@dataclass(frozen=True)
class Overrides:
    """What the options of `run` and `predict` change on a card; None leaves it as it is."""

    settings: tuple[str, ...] = ()
    regime: str | None = None
    sample_size: str | None = None
    generations: int | None = None
    corpus: str | None = None
    curation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A card with the name, title and number of replicates it came with."""

    name: str
    title: str
    replicates: int
    scenario: Scenario


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The argument and options that choose and change a card."""
    for option in reversed(
        (
            click.argument(
                "card", metavar="[PRESET[:NAME]|CARD.toml|CARD.json]", default=DEFAULT, shell_complete=_complete
            ),
            click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help=_SET_HELP),
            click.option("--regime", metavar="NAME[:VALUE]", help="Regime, such as replace or fresh-fraction:0.05."),
            click.option("--curation", multiple=True, metavar="NAME[:VALUE..]", help=_CURATION_HELP),
            click.option("--sample-size", metavar="SIZE", help=_SIZE_HELP),
            click.option("--generations", type=int, metavar="T", help="How many models are fitted, one after another."),
            click.option("--corpus", metavar="FILE", help="Your own text (.txt, .jsonl; .gz, .xz) as the source."),
        )
    ):
        function = option(function)
    return function


_SET_HELP = "Change one field, such as family.order=3 (repeatable; the value is read as TOML)."
_CURATION_HELP = "Curate what models write, such as decoding:0.8 or detector:0.9:0.05 (repeatable, in order)."
_SIZE_HELP = "Points a generation: 100, a list 100,200,400, or growth:start:rate such as linear:100:10."


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in preset_names() if name.startswith(incomplete)]


def load(given: str, overrides: Overrides = Overrides()) -> Card:
    """The card that a name or a file says, with the overrides.

    Raises CardError where it breaks a rule, DataError where the file cannot be read.
    """
    from lightcollapse.scenario import Scenario

    name, data, title = _one_of(given)
    _override(data, overrides)
    run = _run_table(data.pop("run", {}))
    title = (
        "" if overrides.regime or overrides.settings or overrides.curation else title or run.get("title", "")
    )  # it may not be true any more
    return Card(name, title, run.get("replicates", 100), Scenario.from_dict(data))


def _one_of(given: str) -> tuple[str, dict[str, Any], str]:
    """Name and data of a card, and its title in a set; `scenario:NAME` is the card called NAME of a set."""
    first, colon, card = given.rpartition(":")
    if colon and (first in preset_names() or Path(first).suffix in (".toml", ".json")):
        name, data = _read(first)
        return f"{name}-{card}", *choose(data, card)
    name, data = _read(given)
    return name, *choose(data, "")


def _read(given: str) -> tuple[str, dict[str, Any]]:
    """Name and data of a preset or a card file."""
    if given in preset_names():
        return given, tomllib.loads(preset_text(given))
    path = Path(given)
    if path.suffix not in (".toml", ".json"):
        raise CardError(
            f"no preset is called {given!r}, and a card file ends in .toml or .json; {nearest(given, preset_names())}"
        )
    text = _text(path)
    if path.suffix == ".json":
        return path.stem, _json_table(text, path)
    try:
        return path.stem, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{path}: not valid TOML: {error}") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAXIMUM_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read the card {path}: {error.strerror}") from None
    if len(raw) > _MAXIMUM_BYTES:
        raise DataError(f"{path} is larger than a card can be, {_MAXIMUM_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {raw.count(10, 0, error.start) + 1}, byte {error.start}: invalid UTF-8"
        ) from None


def _json_table(text: str, path: Path) -> dict[str, Any]:
    """A card in JSON, or the card inside what `--json` printed."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CardError(f"{path}: not valid JSON: {error}") from None
    if isinstance(data, dict) and isinstance(data.get("recipe"), dict):
        data = data["recipe"].get("card")
    if not isinstance(data, dict):
        raise CardError(f"{path}: a card must be a table of fields, got {type(data).__name__}")
    return data


def _override(data: dict[str, Any], overrides: Overrides) -> None:
    if overrides.regime is not None:
        data["regime"] = _regime(overrides.regime)
    if overrides.curation:
        data["curation"] = [_step(step) for step in overrides.curation]
    if overrides.generations is not None:
        data["generations"] = overrides.generations
    if overrides.sample_size is not None:
        data["sample_size"] = _sample_size(overrides.sample_size)
        if isinstance(data["sample_size"], list) and overrides.generations is None:
            data["generations"] = len(data["sample_size"])
    for setting in overrides.settings:
        _set(data, setting)
    if overrides.corpus is not None:
        source = _part(data, "source")
        if source.get("kind") != "text":
            raise CardError(
                f"a corpus needs a card whose source is text, got {source.get('kind')!r}; use the preset text or words"
            )
        source["path"] = overrides.corpus


def _part(data: dict[str, Any], axis: str) -> dict[str, Any]:
    """A part of the card as a table, in place."""
    if not isinstance(data.get(axis), dict):
        data[axis] = {"kind": data[axis]} if axis in data else {}
    part: dict[str, Any] = data[axis]
    return part


def _set(data: dict[str, Any], setting: str) -> None:
    """Change one field of the card: `family.order=3`."""
    path, equals, text = setting.partition("=")
    path = path.strip()
    if not equals or not path:
        raise CardError(f"--set takes KEY=VALUE, got {setting!r}; for example --set generations=20")
    value = _value(text)
    first, _, rest = path.partition(".")
    known = (*_AXES, "curation", "sample_size", "generations", "run")
    if first not in known:
        raise CardError(f"unknown key {path}; {nearest(first, known)}")
    if not rest:
        data[first] = value
        return
    if first == "curation" or "." in rest:
        raise CardError(f"unknown key {path}; set curation as a whole, other fields as AXIS.FIELD")
    part = _part(data, first) if first in _AXES else data.setdefault(first, {})
    if not isinstance(part, dict):
        raise CardError(f"{first} has no field {rest} on this card: it is {part!r}")
    if rest == "kind" and part.get("kind") != value:
        part.clear()  # another part has other fields
    part[rest] = value


def _value(text: str) -> Any:
    """A value as TOML reads it; what is no TOML is a string, so that names need no quotes."""
    try:
        table = tomllib.loads(f"value = {text.strip()}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    return table["value"] if len(table) == 1 else text.strip()


def _regime(text: str) -> dict[str, Any]:
    """`fresh-fraction:0.05`: a name, and the values of its fields in order."""
    from lightcollapse.regimes import REGIMES

    return _by_fields("regime", REGIMES, text)


def _step(text: str) -> dict[str, Any]:
    """`decoding:0.8`: the same for a step of the curation."""
    from lightcollapse.curation import CURATIONS

    return _by_fields("curation", CURATIONS, text)


def _by_fields(axis: str, parts: Sequence[Any], text: str) -> dict[str, Any]:
    """A part from its name and the values of its fields, in order."""
    kind, *values = text.split(":")
    part = next((part for part in parts if part.kind == kind), None)
    fields: Sequence[str] = part.__struct_fields__ if part else ()
    if part and len(values) > len(fields):
        takes = f"takes {', '.join(fields)}" if fields else "takes no value"
        raise CardError(f"{axis} {kind} {takes}, got {text!r}")
    return {"kind": kind} | {name: _value(value) for name, value in zip(fields, values, strict=False)}


def _sample_size(text: str) -> int | list[int] | dict[str, Any]:
    """`100`, `100,200,400`, or `linear:100:10`."""
    growth, *numbers = text.split(":")
    try:
        if numbers:
            if growth not in _GROWTHS:
                raise CardError(f"unknown growth {growth!r} of sample_size; {nearest(growth, _GROWTHS)}")
            start, rate = numbers
            return {"start": int(start), "growth": growth, "rate": float(rate)}
        sizes = [int(size) for size in text.split(",")]
    except CardError:
        raise
    except ValueError:
        raise CardError(
            f"sample_size must be a whole number, a list 100,200 or growth:start:rate (linear:100:10), got {text!r}"
        ) from None
    return sizes if len(sizes) > 1 else sizes[0]


def _run_table(data: Any) -> Mapping[str, Any]:
    """The table [run] of a card: how many replicates, and a title."""
    if not isinstance(data, dict):
        raise CardError(f"run must be a table, got {data!r}")
    for name in data:
        if name not in _RUN:
            raise CardError(f"unknown key run.{name}; {nearest(name, _RUN)}")
    replicates, title = data.get("replicates", 1), data.get("title", "")
    if isinstance(replicates, bool) or not isinstance(replicates, int) or replicates < 1:
        raise CardError(f"run.replicates must be a whole number of at least 1, got {replicates!r}")
    if not isinstance(title, str):
        raise CardError(f"run.title must be text, got {title!r}")
    return data


def describe(scenario: Scenario) -> str:
    """The card in a sentence: family on source, regime, sizes."""
    family, source, *others = map(_brief, (scenario.family, scenario.source, scenario.regime, *scenario.curation))
    size = scenario.to_dict().get("sample_size", "all of the training part")
    return f"{family} on {source}, {', '.join(others)}, sample size {_size(size)}, {scenario.generations} generations"


def _brief(part: Any) -> str:
    """`zipf(size=1000, exponent=1.0)`: a part and the fields that differ from their defaults."""
    names = part.__struct_fields__
    defaults = dict(zip(names[len(names) - len(part.__struct_defaults__) :], part.__struct_defaults__, strict=True))
    shown = [
        f"{name}={_short(getattr(part, name))}" for name in names if defaults.get(name, ...) != getattr(part, name)
    ]
    return f"{part.kind}({', '.join(shown)})" if shown else str(part.kind)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 32 else text[:29] + "..."


def _size(size: Any) -> str:
    if isinstance(size, dict):
        return f"{size['growth']} from {size['start']}, rate {size['rate']}"
    if isinstance(size, Iterable) and not isinstance(size, str):
        return _short(", ".join(map(str, size)))
    return str(size)
