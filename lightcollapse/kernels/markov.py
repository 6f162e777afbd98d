"""Markov chains: walks, counts, scores and exact distances; the forward algorithm. Points are documents."""

from __future__ import annotations

import math

import numpy as np

from lightcollapse.compiler import kernel

_FAILURE = 0.1  # an edge case fails where the model gives less than this share of the source's probability


@kernel
def walk(laws, out):
    """Replace uniforms in out, float64 (lanes, count, length), by documents: paths of each lane's chain.

    laws: float64 (lanes, symbols + 1, symbols), the law of the first symbol in row 0, that after symbol s in row s + 1.
    A symbol is the first at which the running sum of its row exceeds the uniform's share of the whole; one of no mass
    is never drawn. Documents go side by side, so that their searches overlap.
    """
    lanes, count, length = out.shape
    _, rows, symbols = laws.shape
    upper = np.empty((rows, symbols))
    spans = np.empty(rows, np.int64)  # up to the last symbol of some mass
    for lane in range(lanes):
        for row in range(rows):
            total = 0.0
            spans[row] = 1
            for symbol in range(symbols):
                total += laws[lane, row, symbol]
                upper[row, symbol] = total
                if laws[lane, row, symbol] > 0.0:
                    spans[row] = symbol + 1
        for k in range(length):
            for i in range(count):
                before = np.int64(0) if k == 0 else np.int64(out[lane, i, k - 1] + 1.0)
                wanted = out[lane, i, k] * upper[before, symbols - 1]
                low = np.int64(0)
                span = spans[before]
                while span > 1:
                    half = span >> 1
                    low += half if upper[before, low + half - 1] <= wanted else 0
                    span -= half
                out[lane, i, k] = low


@kernel
def count_moves(points, weights, out):
    """Add up in out, float64 (lanes, symbols + 1, symbols), the weights of first symbols (row 0) and of moves from s
    (row s + 1) over documents, float64 (lanes, count, length). Draws nothing.
    """
    lanes, count, length = points.shape
    for lane in range(lanes):
        for i in range(count):
            weight = weights[lane, i]
            row = np.int64(0)
            for k in range(length):
                symbol = np.int64(points[lane, i, k])
                out[lane, row, symbol] += weight
                row = symbol + 1


@kernel
def score(logs, points, out):
    """Fill out float64 (lanes, count) with the sum of logs[lane] along each document. Draws nothing.

    logs: float64 (lanes or 1, symbols + 1, symbols), as for `walk`.
    """
    lanes, count, length = points.shape
    for lane in range(lanes):
        own = lane if len(logs) > 1 else 0
        for i in range(count):
            row = np.int64(0)
            total = 0.0
            for k in range(length):
                symbol = np.int64(points[lane, i, k])
                total += logs[own, row, symbol]
                row = symbol + 1
            out[lane, i] = total


@kernel
def expected_moves(laws, length, out):
    """Fill out float64 (lanes, symbols + 1) with how often a document of each lane's chain is expected to be at the
    beginning (1) and to move on from each symbol. Draws nothing.
    """
    lanes, _, symbols = laws.shape
    now = np.empty(symbols)
    then = np.empty(symbols)
    for lane in range(lanes):
        out[lane, 0] = 1.0
        for symbol in range(symbols):
            now[symbol] = laws[lane, 0, symbol]
            out[lane, symbol + 1] = 0.0
        for _k in range(length - 1):
            for symbol in range(symbols):
                then[symbol] = 0.0
            for symbol in range(symbols):
                share = now[symbol]
                if share > 0.0:
                    out[lane, symbol + 1] += share
                    for following in range(symbols):
                        then[following] += share * laws[lane, symbol + 1, following]
            for symbol in range(symbols):
                now[symbol] = then[symbol]


@kernel
def measure(laws, moves, source, shares, rare, length, out):
    """Fill out float64 (8, lanes): diversity of moves, entropy rate, moves alive, total variation of moves,
    KL(model || source) and KL(source || model) a symbol, failures among rare moves, rare moves retained.

    laws: float64 (lanes, symbols + 1, symbols); moves: float64 (lanes, symbols + 1), from `expected_moves`; source and
    shares: the same of the source, without lanes; rare: bool (symbols + 1, symbols). Draws nothing.
    """
    lanes, rows, symbols = laws.shape
    whole = 0.0  # moves from symbols: the first symbol of a document is no move
    for row in range(1, rows):
        whole += shares[row]
    for lane in range(lanes):
        diversity, entropy, alive, distance = 0.0, 0.0, 0, 0.0
        forward, reverse, cases, failed, known, kept = 0.0, 0.0, 0.0, 0.0, 0, 0
        for row in range(rows):
            own = moves[lane, row]
            real = shares[row]
            squares, gap, most = 0.0, 0.0, 0.0
            for symbol in range(symbols):
                p = laws[lane, row, symbol]
                s = source[row, symbol]
                squares += p * p
                gap += abs(p - s)
                most = max(most, p)
                if own > 0.0 and p > 0.0:
                    entropy -= own * p * math.log(p)
                    alive += 1 if row > 0 else 0
                    forward += own * p * (math.log(p) - math.log(s)) if s > 0.0 else np.inf
                if real > 0.0 and s > 0.0:
                    reverse += real * s * (math.log(s) - math.log(p)) if p > 0.0 else np.inf
                if rare[row, symbol]:
                    known += 1
                    kept += 1 if p > 0.0 else 0
                    cases += real * s
                    failed += real * s if p < _FAILURE * s else 0.0
            if row > 0:
                diversity += real * (1.0 - squares if most < 1.0 else 0.0)
                distance += real * 0.5 * gap
        out[0, lane] = diversity / whole
        out[1, lane] = entropy / length
        out[2, lane] = alive
        out[3, lane] = distance / whole
        out[4, lane] = forward / length
        out[5, lane] = reverse / length
        out[6, lane] = failed / cases if known > 0 else 0.0
        out[7, lane] = kept / known if known > 0 else 1.0


@kernel
def forward(text, start, transitions, emissions, out):
    """Fill out float64 with P(symbol | those before it in its document) for each symbol of padded documents, int32.

    start: float64 (states,), transitions: float64 (states, states), emissions: float64 (states, symbols + 1) with
    symbols numbered from 1. After a symbol of probability 0 a document begins anew. Draws nothing.
    """
    states = len(start)
    belief = np.empty(states)  # of the state that writes the next symbol
    after = np.empty(states)
    written = 0
    for i in range(len(text) - 1):
        symbol = np.int64(text[i])
        if symbol == 0:
            for state in range(states):
                belief[state] = start[state]
            continue
        p = 0.0
        for state in range(states):
            after[state] = belief[state] * emissions[state, symbol]
            p += after[state]
        out[written] = p
        written += 1
        for state in range(states):
            belief[state] = start[state] if p == 0.0 else 0.0
        if p > 0.0:
            for state in range(states):
                if after[state] > 0.0:
                    for following in range(states):
                        belief[following] += after[state] / p * transitions[state, following]
