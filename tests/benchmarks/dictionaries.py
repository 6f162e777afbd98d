"""An n-gram model in plain Python dictionaries, interpolated as Witten and Bell do: what a user writes in an hour."""

from __future__ import annotations

import math
import random
from bisect import bisect
from itertools import accumulate


class Dictionaries:
    """Contexts of 0 .. order - 1 characters: how often each character followed."""

    def __init__(self, documents: list[str], order: int) -> None:
        self.order = order
        self.alphabet = sorted(set("".join(documents)))
        self.counts: dict[str, dict[str, int]] = {}
        for document in documents:
            for i, character in enumerate(document):
                for size in range(min(i, order - 1) + 1):
                    following = self.counts.setdefault(document[i - size : i], {})
                    following[character] = following.get(character, 0) + 1
        self.totals = {context: sum(found.values()) for context, found in self.counts.items()}
        self.wheels: dict[str, tuple[list[str], list[int]]] = {}

    def probability(self, context: str, character: str) -> float:
        """Of a character after a context."""
        p = 1.0 / (len(self.alphabet) + 1)
        for size in range(len(context) + 1):
            found = self.counts.get(context[len(context) - size :])
            if found is None:
                break
            total, kinds = self.totals[context[len(context) - size :]], len(found)
            p = (found.get(character, 0) + kinds * p) / (total + kinds)
        return p

    def score(self, documents: list[str]) -> float:
        """Sum of the log-probabilities."""
        reach = self.order - 1
        return sum(
            math.log(self.probability(document[max(0, i - reach) : i], character))
            for document in documents
            for i, character in enumerate(document)
        )

    def write(self, documents: int, length: int, seed: int) -> list[str]:
        """Documents of so many characters."""
        rng, reach = random.Random(seed), self.order - 1
        out = []
        for _ in range(documents):
            document = ""
            for _ in range(length):
                document += self._draw(document[-reach:] if reach else "", rng)
            out.append(document)
        return out

    def _draw(self, context: str, rng: random.Random) -> str:
        while True:
            found = self.counts.get(context)
            if found is not None:
                if context not in self.wheels:
                    self.wheels[context] = list(found), list(accumulate(found.values()))
                characters, ends = self.wheels[context]
                at = rng.random() * (ends[-1] + len(ends))
                if at < ends[-1]:
                    return characters[bisect(ends, at)]
            if not context:
                return rng.choice(self.alphabet)
            context = context[1:]
