"""Built-in cards as TOML: a card, and a table [run] with the number of replicates and a title.

A scenario that takes several cards is a set of them: under [cards.NAME] stands a title, and what the card called NAME
changes of the one above; `preset:NAME` means that one. To add a preset: a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from lightcollapse.errors import CardError, nearest

_FIELDS = ("title", "change")


def preset_names() -> list[str]:
    """Names of the built-in cards."""
    names = [entry.name for entry in files("lightcollapse.presets").iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def preset_text(name: str) -> str:
    """A built-in card as TOML. Raises CardError on an unknown name."""
    if name not in preset_names():
        raise CardError(f"unknown preset {name!r}; {nearest(name, preset_names())}")
    return (files("lightcollapse.presets") / f"{name}.toml").read_text(encoding="utf-8")


def preset_cards(name: str) -> dict[str, dict[str, Any]]:
    """The cards of a preset as data, its first one under the empty name; without the table [run]."""
    data = tomllib.loads(preset_text(name))
    out = {}
    for card in ("", *data.get("cards", {})):
        chosen, _ = choose(data, card)
        out[card] = {key: value for key, value in chosen.items() if key != "run"}
    return out


def choose(data: Mapping[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """One card of a set as data, and its title; the empty name is the card that the others change.

    Raises CardError where there is no such card, or the table [cards] breaks a rule.
    """
    cards = data.get("cards", {})
    base = {key: value for key, value in data.items() if key != "cards"}
    if not isinstance(cards, Mapping):
        raise CardError(f"cards must be a table of cards, got {cards!r}")
    if not name:
        return base, ""
    if name not in cards:
        raise CardError(f"unknown card {name!r} of the set; {nearest(name, cards)}" if cards else "this is one card")
    card = cards[name]
    if not isinstance(card, Mapping) or not isinstance(card.get("change", {}), Mapping):
        raise CardError(f"cards.{name} must be a table with title and change, got {card!r}")
    for field in card:
        if field not in _FIELDS:
            raise CardError(f"unknown key cards.{name}.{field}; {nearest(field, _FIELDS)}")
    return merged(base, card.get("change", {})), str(card.get("title", ""))


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; a part of another kind takes the place of the whole part."""
    out = dict(base)
    for key, value in change.items():
        held = out.get(key)
        keeps = isinstance(held, Mapping) and isinstance(value, Mapping) and "kind" not in value
        out[key] = merged(held, value) if keeps else value  # type: ignore[arg-type]
    return out
