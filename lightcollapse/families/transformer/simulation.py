"""A transformer's card made ready to run, each generation kept in a folder as soon as it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightcollapse.corpus import padding
from lightcollapse.families.language_model import LanguageSimulation, Model, Turn
from lightcollapse.families.transformer import checkpoint
from lightcollapse.families.transformer.fitted import Fitted
from lightcollapse.part import plain


@dataclass(frozen=True)
class TransformerSimulation(LanguageSimulation):
    """As every language model's; with a folder, generations that it holds are not trained again."""

    folder: Path | None = None

    def fit(self, text: padding.Symbols, turn: Turn | None = None, previous: Model | None = None) -> Model:
        if self.folder is None:
            return super().fit(text, turn, previous)
        turn = Turn(0, 0, self.seed) if turn is None else turn
        path = self.folder / _name(turn)
        mark = checkpoint.mark_of(plain(self.family), turn._asdict(), text)
        if path.exists():
            return Fitted(checkpoint.load(path, mark))
        model = super().fit(text, turn, previous)
        if isinstance(model, Fitted):
            checkpoint.save(path, model.network, mark)
        return model


def _name(turn: Turn) -> str:
    if turn.generation == 0:
        return "human.safetensors"
    return f"replicate-{turn.replicate}-generation-{turn.generation}.safetensors"
