"""Probabilistic context-free grammars whose law is known."""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus.human import Law
from lightcollapse.corpus.padding import Symbols, runs
from lightcollapse.errors import CardError, DataError, require
from lightcollapse.sources.documents import Documents, Float, check_law

_RULE = re.compile(r"(\w+)\s*->(.+)", re.ASCII | re.DOTALL)
_SIDE = re.compile(r"((?:\w+\s*)+)(?:\[([^\]]*)\])?", re.ASCII)
_MOST = 64  # nonterminals, those of the normal form included: tables have the third power of it
_CHUNK = 4096  # uniforms at a time
_CRITICAL = 1.0 - 1e-9

Side = tuple[str, ...]


class Grammar(Documents, frozen=True):
    """Documents of sentences that a probabilistic context-free grammar derives, each ended by the word `stop`.

    A document is the first `document_length` symbols of sentences one after another: the last is cut where it does not
    fit, whatever its length, and the law is that of documents so cut.

    Args:
        rules: `"S -> NP VP [0.9] | VP [0.1]"`: what a nonterminal is rewritten by, and with which probability;
            alternatives without one share what the others leave. A sentence derives from the left side of the first
            rule; what never stands on a left side is a word. Sentences must end: those whose mean length is infinite
            are refused.
        stop: the word that ends a sentence.
        document_length: symbols of a document. documents, seed, held_out and rare_share are those of the corpus that
            n-gram models learn from: how many, what decides it, which share judges, which share is rare.
    """

    kind: ClassVar[str] = "grammar"
    rules: tuple[str, ...]
    stop: str = "stop"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        rules = (
            "S -> NP VP",
            "NP -> DET N [0.8] | DET N that VP [0.2]",
            "VP -> V [0.4] | V NP [0.6]",
            "DET -> the [0.7] | a [0.3]",
            "N -> dog [0.5] | cat [0.3] | bird [0.15] | newt [0.05]",
            "V -> sees [0.6] | hears [0.4]",
        )
        return (cls(rules),)

    def validate(self) -> None:
        super().validate()
        require(len(self.rules) >= 1, "rules must hold at least one rule", list(self.rules))
        sides = self.sides()
        require(re.fullmatch(r"\w+", self.stop, re.ASCII) is not None, "stop must be one word", self.stop)
        taken = self.stop in sides or self.stop in self.words()
        require(not taken, "stop must be no symbol of the rules", self.stop)
        counts = expected_counts(sides)
        radius = float(np.abs(np.linalg.eigvals(counts)).max())
        require(
            radius < _CRITICAL,
            "sentences of a grammar must end: one rewriting must leave less than one nonterminal in the long run",
            round(radius, 6),
            "give rules without nonterminals more probability",
        )
        _normal(self)

    def sides(self) -> dict[str, dict[Side, float]]:
        """What each nonterminal that a sentence can hold is rewritten by, and how probably; the first is the start."""
        return _reachable(_parsed(self.rules))

    def words(self) -> tuple[str, ...]:
        """Terminals in the order of the rules."""
        sides = self.sides()
        every = (symbol for alternatives in sides.values() for side in alternatives for symbol in side)
        return tuple(dict.fromkeys(symbol for symbol in every if symbol not in sides))

    def names(self) -> tuple[str, ...]:
        return (*self.words(), self.stop)

    def written(self) -> NDArray[np.int64]:
        place = {name: number for number, name in enumerate(self.names())}
        draws = self._numbers()
        out = np.empty((self.documents, self.document_length), dtype=np.int64)
        for document in out:
            sentences = derive(self.sides(), self.stop, draws)
            for k in range(self.document_length):
                document[k] = place[next(sentences)]
        return out

    def _numbers(self) -> Iterator[float]:
        first = 0
        while True:
            yield from self.uniforms(first, _CHUNK).tolist()
            first += _CHUNK

    def law(self, groups: NDArray[np.int64]) -> Law:
        """Raises DataError where the corpus holds no whole sentence."""
        stop = int(groups[-1])
        if np.count_nonzero(groups == stop) > 1:
            raise DataError("no sentence of the corpus ends within document_length; raise it or shorten sentences")
        normal = _normal(self)
        lexical = np.zeros((len(normal.lexical), int(groups.max()) + 2))
        for word, group in enumerate(groups[:-1]):
            lexical[:, group] += normal.lexical[:, word]
        return GrammarLaw(normal, stop, lexical)


def _parsed(rules: tuple[str, ...]) -> dict[str, dict[Side, float]]:
    """Alternatives and probabilities of each left side. Raises CardError where a rule cannot be read."""
    out: dict[str, dict[Side, float]] = {}
    for rule in rules:
        match = _RULE.fullmatch(rule.strip())
        if match is None:
            raise CardError(f'a rule must read "A -> B c [0.5] | d [0.5]", got {rule!r}')
        left = match.group(1)
        require(left not in out, "a nonterminal must have one rule, its alternatives set apart by |", left)
        alternatives = [_alternative(part.strip(), rule) for part in match.group(2).split("|")]
        known = [chance for _, chance in alternatives if chance is not None]
        open_ones = len(alternatives) - len(known)
        shared = max(0.0, 1.0 - sum(known)) / open_ones if open_ones else 0.0
        check_law((*known, *[shared] * open_ones), f"rule of {left}")
        sides: dict[Side, float] = {}
        for side, chance in alternatives:
            sides[side] = sides.get(side, 0.0) + (shared if chance is None else chance)
        total = sum(sides.values())
        out[left] = {side: chance / total for side, chance in sides.items()}
    return out


def _alternative(text: str, rule: str) -> tuple[Side, float | None]:
    match = _SIDE.fullmatch(text)
    if match is None:
        raise CardError(
            f"an alternative must be symbols, then a probability in brackets or none, got {text!r} in {rule!r}"
        )
    try:
        return tuple(match.group(1).split()), None if match.group(2) is None else float(match.group(2))
    except ValueError:
        raise CardError(f"a probability must be a number, got {match.group(2)!r} in {rule!r}") from None


def _reachable(rules: dict[str, dict[Side, float]]) -> dict[str, dict[Side, float]]:
    """The rules that a derivation from the first nonterminal can use, and their alternatives of some probability."""
    start = next(iter(rules))
    found, waiting = {start: True}, [start]
    while waiting:
        for side, chance in rules[waiting.pop()].items():
            for symbol in side:
                if chance > 0.0 and symbol in rules and symbol not in found:
                    found[symbol] = True
                    waiting.append(symbol)
    return {left: {side: p for side, p in rules[left].items() if p > 0.0} for left in rules if left in found}


def expected_counts(sides: dict[str, dict[Side, float]]) -> Float:
    """Mean number of each nonterminal in what one rewriting of each gives, float64 (nonterminals, nonterminals)."""
    place = {left: number for number, left in enumerate(sides)}
    out = np.zeros((len(sides), len(sides)))
    for left, alternatives in sides.items():
        for side, chance in alternatives.items():
            for symbol in side:
                if symbol in place:
                    out[place[left], place[symbol]] += chance
    return out


def derive(sides: dict[str, dict[Side, float]], stop: str, draws: Iterator[float]) -> Iterator[str]:
    """Words of sentence after sentence, each ended by `stop`: leftmost derivations."""
    start = next(iter(sides))
    choices = {left: (list(found), list(accumulate(found.values()))) for left, found in sides.items()}
    while True:
        stack = [start]
        while stack:
            symbol = stack.pop()
            if symbol not in choices:
                yield symbol
                continue
            found, upper = choices[symbol]
            number = bisect_right(upper, next(draws) * upper[-1])
            stack.extend(reversed(found[min(number, len(found) - 1)]))
        yield stop


class Normal(NamedTuple):
    """A grammar in the normal form of Chomsky; nonterminal 0 is the start.

    rules int64 (rules, 3), chances float64 (rules,): A -> B C; lexical float64 (nonterminals, words): A -> word.
    """

    rules: NDArray[np.int64]
    chances: Float
    lexical: Float


@functools.lru_cache(maxsize=8)
def _normal(grammar: Grammar) -> Normal:
    """Long sides are cut into pairs, words in pairs get nonterminals, and chains of A -> B are summed up."""
    sides, words = grammar.sides(), grammar.words()
    place = {left: number for number, left in enumerate(sides)}
    word = {name: number for number, name in enumerate(words)}
    pairs: list[tuple[int, int, int, float]] = []
    units: list[tuple[int, int, float]] = []
    lexical: list[tuple[int, int, float]] = []

    def of_symbol(symbol: str) -> int:
        if symbol in sides:
            return place[symbol]
        if f"word {symbol}" not in place:
            place[f"word {symbol}"] = len(place)
            lexical.append((place[f"word {symbol}"], word[symbol], 1.0))
        return place[f"word {symbol}"]

    def of_rest(rest: Side) -> int:
        if len(rest) == 1:
            return of_symbol(rest[0])
        name = f"rest {' '.join(rest)}"
        if name not in place:
            place[name] = len(place)
            pairs.append((place[name], of_symbol(rest[0]), of_rest(rest[1:]), 1.0))
        return place[name]

    for left, alternatives in sides.items():
        for side, chance in alternatives.items():
            if len(side) > 1:
                pairs.append((place[left], of_symbol(side[0]), of_rest(side[1:]), chance))
            elif side[0] in sides:
                units.append((place[left], place[side[0]], chance))
            else:
                lexical.append((place[left], word[side[0]], chance))
    size = len(place)
    require(size <= _MOST, f"a grammar may have at most {_MOST} nonterminals, those of its normal form included", size)
    chains, of_words, table = np.zeros((size, size)), np.zeros((size, len(words))), np.zeros((size, size, size))
    for a, b, chance in units:
        chains[a, b] += chance
    for a, w, chance in lexical:
        of_words[a, w] += chance
    for a, b, c, chance in pairs:
        table[a, b, c] += chance
    closure = _sums_of_powers(chains)
    rules, chances = _sparse(np.einsum("ab,bcd->acd", closure, table))
    return Normal(rules, chances, closure @ of_words)


def _sums_of_powers(matrix: Float) -> Float:
    """1 + M + M^2 + ..., no entry below 0."""
    return np.asarray(np.maximum(np.linalg.inv(np.eye(len(matrix)) - matrix), 0.0))


def _sparse(table: Float) -> tuple[NDArray[np.int64], Float]:
    """Places int64 (entries, 3) and values float64 (entries,) of what is not 0."""
    places = np.argwhere(table > 0.0)
    return np.ascontiguousarray(places, dtype=np.int64), np.ascontiguousarray(table[tuple(places.T)])


@dataclass(frozen=True)
class GrammarLaw:
    """The law of documents of sentences.

    Attributes:
        normal: the grammar. stop: number of the word that ends sentences.
        lexical: float64 (nonterminals, groups + 1), words gathered into groups, numbered from 1.
    """

    normal: Normal
    stop: int
    lexical: Float

    @functools.cached_property
    def _corners(self) -> tuple[Float, NDArray[np.int64], Float]:
        """What the leftmost descent from each nonterminal comes to: first words, and pairs."""
        size = len(self.lexical)
        table = np.zeros((size, size, size))
        table[tuple(self.normal.rules.T)] = self.normal.chances
        descent = _sums_of_powers(table.sum(axis=2))
        return np.ascontiguousarray(descent @ self.lexical), *_sparse(np.einsum("ab,bcd->acd", descent, table))

    def log_probabilities(self, text: Symbols) -> Float:
        """Log-probability of each symbol given those before it in its document, nats; what stands after an impossible
        symbol is scored as a new sentence.

        Source: Baker 1979 for the inside algorithm; Jelinek and Lafferty 1991 for prefixes.
        """
        from lightcollapse.kernels.grammar import score

        out = np.empty(int(np.count_nonzero(text)))
        longest = max(1, int(runs(text)[1].max(initial=0)))
        corners, reaches, weights = self._corners
        rules, chances, _ = self.normal
        score(text, self.stop, longest, 0, self.lexical, corners, rules, chances, reaches, weights, out)
        with np.errstate(divide="ignore"):
            return np.log(out)
