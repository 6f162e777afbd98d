"""Where a run is kept: one folder a recipe, so that no run takes another's place."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightcollapse.errors import CardError, DataError, LightcollapseError

if TYPE_CHECKING:
    from lightcollapse.cli.card import Card
    from lightcollapse.record import Record

RUNS = Path("lightcollapse-runs")
_RECORD = "record.npz"
_PARTIAL = "partial.npz"


class Folder:
    """The folder of one recipe: card, seed and replicates.

    Args:
        card: the card, with its name.
        seed: the seed.
        replicates: how many replicates were asked for.
        chosen: the folder the user chose, or None for `lightcollapse-runs/NAME-SEED-HASH8`.
    """

    def __init__(self, card: Card, seed: int, replicates: int, chosen: str | None) -> None:
        self.card, self.seed, self.replicates = card, seed, replicates
        recipe = [card.scenario.hash, seed, replicates, sorted(card.scenario.source.provenance().items())]
        self.digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:8]
        name = re.sub(r"[^\w.-]+", "-", card.name)[:40].strip(".-") or "card"
        self.path = Path(chosen) if chosen is not None else RUNS / f"{name}-{seed}-{self.digest}"

    def check(self) -> None:
        """Raise CardError where the folder holds another run: it would take that run's place."""
        from lightcollapse.record import Record

        if self.path.exists() and not self.path.is_dir():
            raise CardError(f"{self.path} is a file; choose a folder with -o")
        for name in (_RECORD, _PARTIAL):
            if not (self.path / name).exists():
                continue
            try:
                held = Record.load(self.path / name)
            except DataError as error:
                raise CardError(f"{error}; choose another folder with -o") from None
            if held.seed != self.seed or held.scenario != self.card.scenario.resolved(self.seed):
                raise CardError(
                    f"{self.path} holds another run, of seed {held.seed}; choose another folder with -o, "
                    "or give that run's card and seed to repeat it"
                )

    def save(self, record: Record, whole: bool) -> Path:
        """Write the record; a whole run takes the place of its own beginning. Raises LightcollapseError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LightcollapseError(f"cannot write {self.path}: {error.strerror}") from None
        target = record.save(self.path / (_RECORD if whole else _PARTIAL))
        if whole:
            (self.path / _PARTIAL).unlink(missing_ok=True)
        return target


def recipe(card: Card, seed: int, replicates: int | None) -> dict[str, Any]:
    """What makes a result: the card, the seed and the replicates. A file is named without its folder."""
    data = card.scenario.to_dict()
    path = data["source"].get("path")
    if path is not None and Path(path).is_absolute():
        data["source"]["path"] = Path(path).name
    return {
        "name": card.name,
        "card": data,
        "hash": card.scenario.hash,
        "seed": seed,
        "replicates": replicates,
        "inputs": card.scenario.source.provenance(),
    }
