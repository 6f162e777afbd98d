"""Drift of many symbols: each generation is trained on what the last model wrote and on nothing else."""

from __future__ import annotations

import numpy as np

from lightcollapse.compiler import borrowing, kernel
from lightcollapse.kernels import poisson
from lightcollapse.kernels.categorical import write
from lightcollapse.kernels.rng import SYNTHETIC
from lightcollapse.kernels.symbols import measure

_ZERO = np.int64(0)


@borrowing
def _keep(drawn, counts, source, symbols, gone):
    """Move the counts of the symbols that are left in `drawn` to the front of `counts`, and what `source` (2, symbols)
    has of them to its front; add what it has of the others to `gone`, as `measure` takes it. Returns how many are left.
    Draws nothing.
    """
    left = _ZERO
    for symbol in range(symbols):
        count, marked, log = drawn[symbol], source[0, symbol], source[1, symbol]
        if count == 0:
            gone[0] += abs(marked)
            gone[1] += -marked if marked < 0.0 else 0.0
            continue
        counts[left] = count
        source[0, left] = marked
        source[1, left] = log
        left += 1
    return left


@kernel
def drift(
    begin, schedule, counts, drawn, whole, source, gone, steady, rate, tables, cuts, others, numbers, room,
    replicate, k0, k1, out,
):  # fmt: skip
    """Generations from `begin` on of one replicate. A symbol that is lost stays lost: only the others are looked at, in
    the order that they had.

    counts: int64 (symbols,), of the last training set, of `whole` points; drawn: as many. Both are used up, as are
    source (2, symbols) and gone, see `measure`, numbers float64 (4, symbols) and room. Where the size stays `steady`,
    the tables of `poisson.draw_counts` serve.
    """
    model, tail, rows = numbers[0], numbers[1], numbers[1:4]
    left = _keep(counts, counts, source, np.int64(len(counts)), gone)
    for t in range(begin, len(schedule) + 1):
        size = schedule[t - 1, 3]
        if left == 1:  # nothing is drawn, and nothing changes
            for k in range(len(out)):
                out[k, t] = out[k, t - 1]
            continue
        here = drawn[:left]
        if size == steady and whole == steady and poisson.worth(left, size):
            poisson.draw_counts(
                here, counts[:left], size, whole, rate, tables, cuts, others, rows, room, SYNTHETIC, np.uint64(t),
                replicate, k0, k1,
            )  # fmt: skip
        else:
            for symbol in range(left):
                model[symbol] = counts[symbol] / whole
            write(here, size, model[:left], tail[:left], False, SYNTHETIC, np.uint64(t), replicate, k0, k1)
        whole = size
        left = _keep(drawn, counts, source, left, gone)
        for symbol in range(left):
            model[symbol] = counts[symbol] / whole
        measure(model, source, left, gone, rows, room, out, t)
