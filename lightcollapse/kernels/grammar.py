"""Probabilities of sentences of a context-free grammar: the inside algorithm, and that of prefixes, word by word."""

from __future__ import annotations

import numpy as np

from lightcollapse.compiler import kernel


@kernel
def score(text, stop, longest, start, lexical, corners, rules, chances, reaches, weights, out):
    """Fill out float64 with P(symbol | those before it in its document) for each symbol of padded documents, int32,
    which are sentences one after another, each ended by the symbol `stop`; the last may be cut. Draws nothing.

    Of the sentence so far, `inside` holds the chance that a nonterminal derives words i .. k, `prefix` that what it
    derives begins with the words from i on. Both are scaled so that the whole prefix has chance 1: the next one is
    then conditional. After an impossible symbol a sentence begins anew.

    Args:
        longest: symbols of the longest document. start: the nonterminal of whole sentences.
        lexical: float64 (nonterminals, symbols + 1), chance of A -> symbol; symbols are numbered from 1.
        corners: the same, that what A derives begins with the symbol.
        rules, chances: int64 (rules, 3) and float64 (rules,): A -> B C.
        reaches, weights: the same, mean number of times that A comes to B C by rewriting what is leftmost.
    """
    nonterminals = len(lexical)
    inside = np.zeros((longest, longest, nonterminals))
    prefix = np.zeros((longest, nonterminals))
    words = 0  # of the sentence so far
    written = 0
    for at in range(len(text) - 1):
        symbol = np.int64(text[at])
        if symbol == 0:
            words = 0
            continue
        if symbol == stop:
            out[written] = inside[0, words - 1, start] if words > 0 else 0.0
            written += 1
            words = 0
            continue
        last = words
        for a in range(nonterminals):
            inside[last, last, a] = lexical[a, symbol]
            prefix[last, a] = corners[a, symbol]
        for i in range(last - 1, -1, -1):
            for a in range(nonterminals):
                inside[i, last, a] = 0.0
                prefix[i, a] = 0.0
            for r in range(len(rules)):
                total = 0.0
                for k in range(i, last):
                    total += inside[i, k, rules[r, 1]] * inside[k + 1, last, rules[r, 2]]
                inside[i, last, rules[r, 0]] += chances[r] * total
            for r in range(len(reaches)):
                total = 0.0
                for k in range(i, last):
                    total += inside[i, k, reaches[r, 1]] * prefix[k + 1, reaches[r, 2]]
                prefix[i, reaches[r, 0]] += weights[r] * total
        p = prefix[0, start]
        out[written] = p
        written += 1
        words = words + 1 if p > 0.0 else 0
        if p > 0.0:
            for i in range(words):
                for a in range(nonterminals):
                    inside[i, last, a] /= p
