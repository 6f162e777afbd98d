"""Slow twins of the n-gram models: dictionaries, from the textbook. Documents are lists of whole numbers > 0."""

from __future__ import annotations

import functools
import math
from collections import Counter, defaultdict

PAD = 0


class SlowModel:
    """Counts of all n-grams up to `order`; one pad stands before each document."""

    def __init__(
        self, documents: list[list[int]], order: int, alphabet: int, smoothing: str, closed: bool = False
    ) -> None:
        self.order, self.alphabet, self.smoothing = order, alphabet, smoothing
        self.slots = alphabet if closed else alphabet + 1
        self.count: Counter[tuple[int, ...]] = Counter()
        for document in documents:
            text = [PAD, *document]
            for end in range(2, len(text) + 1):
                for length in range(1, min(order, end) + 1):
                    self.count[tuple(text[end - length : end])] += 1
        before = defaultdict(set)
        for ngram in self.count:
            before[ngram[1:]].add(ngram[0])
        self.adjusted = {
            ngram: count if len(ngram) == order or ngram[0] == PAD else len(before[ngram])
            for ngram, count in self.count.items()
        }
        self._given: dict[tuple[int, ...], float] = {}  # mass that a shorter context gives to what the longer lacks
        self.followers = defaultdict(list)
        for ngram in self.count:
            self.followers[ngram[:-1]].append(ngram)

    @functools.cached_property
    def discount(self) -> dict[int, float]:
        """One discount for each length, of adjusted counts; of counts for back-off."""
        counts = self.count if self.smoothing == "backoff" else self.adjusted
        out = {}
        for length in range(1, self.order + 1):
            sizes = Counter(a for ngram, a in counts.items() if len(ngram) == length)
            usable = sizes[1] and sizes[2]
            out[length] = sizes[1] / (sizes[1] + 2 * sizes[2]) if usable else 0.5
        return out

    @functools.cached_property
    def three_discounts(self) -> dict[int, list[float]]:
        """Discounts of adjusted counts 0, 1, 2 and more, for each length."""
        out = {}
        for length in range(1, self.order + 1):
            n = Counter(a for ngram, a in self.adjusted.items() if len(ngram) == length)
            out[length] = [0, 0.5, 1.0, 1.5]
            if n[1] and n[2] and n[3] and n[4]:
                y = n[1] / (n[1] + 2 * n[2])
                three = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
                if all(0 < d < i for i, d in enumerate(three, start=1)):
                    out[length] = [0, *three]
        return out

    def probability(self, history: tuple[int, ...], symbol: int) -> float:
        """P(symbol | history), the history reaching back to its pad or as far as the model looks."""
        if symbol > self.slots:
            return 0.0
        return self._probability(history[-(self.order - 1) :] if self.order > 1 else (), symbol)

    def _probability(self, context: tuple[int, ...], symbol: int) -> float:
        seen = self.followers[context]
        if not seen:
            return self._shorter(context, symbol)
        shorter = functools.partial(self._shorter, context, symbol)
        ngram = (*context, symbol)
        if self.smoothing == "ml":
            return self.count[ngram] / sum(self.count[other] for other in seen)
        if self.smoothing == "witten-bell":
            total = sum(self.count[other] for other in seen)
            return (self.count[ngram] + len(seen) * shorter()) / (total + len(seen))
        if self.smoothing == "backoff":
            return self._backed_off(context, symbol)
        total = sum(self.adjusted[other] for other in seen)
        count = self.adjusted.get(ngram, 0)
        if self.smoothing == "modified-kneser-ney":
            discounts = self.three_discounts[len(ngram)]
            freed = sum(discounts[min(self.adjusted[other], 3)] for other in seen)
            return (count - discounts[min(count, 3)] + freed * shorter()) / total
        discount = self.discount[len(ngram)]
        return (max(count - discount, 0) + discount * len(seen) * shorter()) / total

    def _shorter(self, context: tuple[int, ...], symbol: int) -> float:
        return self._probability(context[1:], symbol) if context else 1 / self.slots

    def _backed_off(self, context: tuple[int, ...], symbol: int) -> float:
        """What is seen keeps its discounted share; the rest goes to what is not, normalised over every symbol."""
        seen = self.followers[context]
        total = sum(self.count[other] for other in seen)
        discount = self.discount[len(context) + 1] if len(seen) < self.slots else 0.0
        count = self.count[(*context, symbol)]
        if count:
            return (count - discount) / total
        new = set(range(1, self.slots + 1)) - {other[-1] for other in seen}
        if context not in self._given:
            self._given[context] = math.fsum(self._shorter(context, other) for other in new)
        return discount * len(seen) / total * self._shorter(context, symbol) / self._given[context]

    def log_probabilities(self, documents: list[list[int]]) -> list[float]:
        """Log-probability of each symbol."""
        out = []
        for document in documents:
            text = (PAD, *document)
            for i in range(1, len(text)):
                p = self.probability(text[max(0, i - self.order + 1) : i], text[i])
                out.append(math.log(p) if p > 0 else -math.inf)
        return out


def sequence_probability(
    model: SlowModel, document: tuple[int, ...], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> float:
    """P(the document's first symbols), given that each is a known one, from the law sharpened and cut."""
    out = 1.0
    for i, symbol in enumerate(document):
        history = (PAD, *document)[max(0, i + 2 - model.order) : i + 1] if model.order > 1 else ()
        out *= decoded(model, history, temperature, top_k, top_p).get(symbol, 0.0)
    return out


def decoded(
    model: SlowModel, history: tuple[int, ...], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> dict[int, float]:
    """The law of the next known symbol to the power 1 / temperature, then the top_k, then the top_p."""
    law = {symbol: model.probability(history, symbol) for symbol in range(1, model.alphabet + 1)}
    peak = max(law.values())
    law = {symbol: (p / peak) ** (1 / temperature) for symbol, p in law.items()}
    ranked = sorted(law, key=lambda symbol: (-law[symbol], symbol))[: top_k or None]
    whole, held, kept = math.fsum(law[symbol] for symbol in ranked), 0.0, []
    for symbol in ranked:
        if top_p < 1.0 and held >= top_p * whole * (1 - 1e-12):
            break
        held += law[symbol]
        kept.append(symbol)
    return {symbol: law[symbol] / held for symbol in kept}


def interval(model: SlowModel, history: tuple[int, ...], symbol: int, share: float) -> tuple[float, int, float]:
    """Whether a symbol lies in the smallest set that holds `share` (tied at its edge: their share that does), the
    set's size, and the chance of the unknown symbol."""
    law = {other: model.probability(history, other) for other in range(1, model.slots + 1)}
    ranked = sorted(law.values(), reverse=True)
    size = next(n for n in range(1, len(ranked) + 1) if math.fsum(ranked[:n]) >= share * (1 - 1e-12))
    edge, p = ranked[size - 1], law.get(symbol, 0.0)
    tied = [i for i, other in enumerate(ranked) if math.isclose(other, edge, rel_tol=1e-12)]
    if math.isclose(p, edge, rel_tol=1e-12):
        return sum(i < size for i in tied) / len(tied), size, law.get(model.alphabet + 1, 0.0)
    return float(p > edge), size, law.get(model.alphabet + 1, 0.0)


def count_ngrams(documents: list[list[int]], longest: int = 4) -> tuple[list[int], float]:
    """Distinct n-grams for n = 1 .. longest, and the entropy of the longest ones in nats."""
    counts = [
        Counter(tuple(d[i : i + n]) for d in documents for i in range(len(d) - n + 1)) for n in range(1, longest + 1)
    ]
    total = counts[-1].total()
    return [len(c) for c in counts], -sum(c / total * math.log(c / total) for c in counts[-1].values())


def padded(documents: list[list[int]]) -> list[int]:
    """`0 d1 0 d2 0`."""
    return [PAD, *(symbol for document in documents for symbol in [*document, PAD])]


def unpadded(text: list[int]) -> list[list[int]]:
    """The documents of `0 d1 0 d2 0`."""
    out: list[list[int]] = []
    for symbol in text[:-1]:
        if symbol == PAD:
            out.append([])
        else:
            out[-1].append(symbol)
    return out
