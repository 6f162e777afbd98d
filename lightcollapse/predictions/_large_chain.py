"""The chain of one symbol's count for large samples: expectations as smooth functions on panels of nodes.

V(y), the expectation of f after some generations given that a model writes the symbol with chance y, is a polynomial
in y that varies on the scale of a sample's own standard deviation, 1/(2 sqrt(n)) in the angle arcsin(sqrt(y)) wherever
y is. So V is kept at Chebyshev nodes on panels of three such deviations, about 20 sqrt(n) nodes in all, and one
generation is a sparse matrix: binomial chances of each node, times the interpolation of V at the counts they lead to.
After s generations V varies on the scale of sqrt(s) of those deviations, and wider panels do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightcollapse.predictions._checks import Float, require

NODES = 20  # a panel
WIDTH = 3.0  # of a panel, in standard deviations
WIDEST = 4  # times that; a step is still much smoother than its nodes are far apart, and rounding does not grow
# Half width of what is kept of a binomial law: that many standard deviations, plus that many counts. By Bernstein's
# inequality less than 1e-17 lies outside.
BAND = (9.0, 25.0)

REACH = 12.0  # of a chain with fresh data, in its standard deviations
LARGEST_WINDOW = 4000  # nodes of a chain with fresh data, whose matrix is dense
LONG = 10**7  # generations after which it is stationary

Functional = Callable[[Float], Float]  # of frequencies (states,): (states, columns)
Map = Callable[[Float], Float]

_ANGLES = (2.0 * np.arange(NODES) + 1.0) * np.pi / (2.0 * NODES)
_POINTS = -np.cos(_ANGLES)  # Chebyshev nodes of the first kind, in [-1, 1]
_WEIGHTS = (-1.0) ** np.arange(NODES) * np.sin(_ANGLES)  # of the barycentric formula


class Grid(NamedTuple):
    """Panels of equal width in the angle arcsin(sqrt(y)), y in [0, 1]."""

    panels: int

    @classmethod
    def of(cls, points: int, coarser: int = 1) -> Grid:
        """Panels of so many times WIDTH standard deviations of a sample of so many points."""
        return cls(max(int(np.ceil(np.pi * np.sqrt(points) / (WIDTH * coarser))), 1))

    def nodes(self) -> Float:
        """Chances at the nodes: float64 (panels, NODES)."""
        middle = np.arange(self.panels)[:, None] + 0.5
        return np.asarray(np.sin((middle + 0.5 * _POINTS) * (0.5 * np.pi / self.panels)) ** 2)

    def read(self, chances: Float) -> tuple[NDArray[np.int64], Float]:
        """The panel of each chance, and the weights of its nodes: int64 (chances,), float64 (chances, NODES)."""
        place = np.arcsin(np.sqrt(np.clip(chances, 0.0, 1.0))) * (2.0 * self.panels / np.pi)
        panel = np.minimum(place.astype(np.int64), self.panels - 1)
        apart = 2.0 * (place - panel)[:, None] - 1.0 - _POINTS
        hit = apart == 0.0
        weights = _WEIGHTS / np.where(hit, 1.0, apart)
        weights = np.where(hit.any(axis=1, keepdims=True), hit.astype(np.float64), weights)
        return panel, weights / weights.sum(axis=1, keepdims=True)


def band(points: int, chances: Float) -> tuple[int, Float]:
    """Binomial(points, q) for chances q close to one another: the first count kept, and float64 (chances, counts).

    From ratios of neighbours, which keeps the digits that differences of large log-factorials would lose.
    """
    half = BAND[0] * np.sqrt(points * chances * (1.0 - chances)) + BAND[1]
    low = max(int(np.floor((points * chances - half).min())), 0)
    high = min(int(np.ceil((points * chances + half).max())), points)
    q = np.clip(chances, 1e-300, 1.0 - 2.0**-53)
    odds = np.log(q) - np.log1p(-q)
    middle = 0.5 * (odds.min() + odds.max())
    k = np.arange(low, high, dtype=np.float64)
    log = np.concatenate([[0.0], np.cumsum(np.log((points - k) / (k + 1.0)) + middle)])
    log = log - log.max() + np.arange(high - low + 1.0) * (odds - middle)[:, None]
    rows = np.exp(log - log.max(axis=1, keepdims=True))
    rows[chances == 0.0] = np.arange(low, high + 1) == 0
    rows[chances == 1.0] = np.arange(low, high + 1) == points
    return low, np.asarray(rows / rows.sum(axis=1, keepdims=True))


def _matrix(points: int, groups: Float, grid: Grid, chance: Map | None) -> Any:
    """One sample of so many points: sparse, from chances (groups, close to one another) to the nodes of `grid`."""
    from scipy.sparse import bsr_array

    blocks, places, starts = [], [], [0]
    for chances in groups:
        low, law = band(points, chances)
        share = np.arange(low, low + law.shape[1], dtype=np.float64) / points
        panel, weights = grid.read(share if chance is None else np.asarray(chance(share), dtype=np.float64))
        for there in np.unique(panel):
            inside = panel == there
            blocks.append(law[:, inside] @ weights[inside])
            places.append(there)
        starts.append(len(places))
    shape = (groups.size, grid.panels * NODES)
    return bsr_array((np.array(blocks), np.array(places), np.array(starts)), shape=shape).tocsr()


def _step(points: int, source: Grid, grid: Grid, chance: Map | None) -> Any:
    """One sample, from node to node."""
    wide = max(round(Grid.of(points).panels / source.panels), 1)
    together = next(size for size in (20, 10, 5, 2, 1) if size * wide <= NODES or size == 1)
    return _matrix(points, source.nodes().reshape(-1, together), grid, chance)


@lru_cache(maxsize=8)
def _plain_step(points: int, source: Grid, grid: Grid) -> Any:
    return _step(points, source, grid, None)


def _last(points: int, functional: Functional) -> Float:
    """E of f after one sample from each node: float64 (nodes, columns)."""
    rows = []
    for chances in Grid.of(points).nodes():
        low, law = band(points, chances)
        rows.append(law @ functional(np.arange(low, low + law.shape[1]) / points))
    return np.concatenate(rows)


def _directly(points: int, values: Float, functional: Functional) -> Float:
    """E of f after one sample of the source: float64 (values,)."""
    out = []
    for index, value in enumerate(values):
        low, law = band(points, np.array([value]))
        means = (law @ functional(np.arange(low, low + law.shape[1]) / points))[0]
        out.append(means[index if len(means) > 1 else 0])
    return np.array(out)


def _spreads(points: int, chance: Map | None) -> bool:
    """Whether no two chances are driven apart, in the angle: then what lies ahead is ever smoother."""
    if chance is None:
        return True
    nodes = np.sort(Grid.of(points).nodes().ravel())
    angle, moved = np.arcsin(np.sqrt(nodes)), np.arcsin(np.sqrt(np.clip(chance(nodes), 0.0, 1.0)))
    return bool(np.all(np.abs(np.diff(moved)) <= np.diff(angle) * (1.0 + 1e-9)))


def expected(values: Float, sizes: NDArray[np.int64], functional: Functional, chance: Map | None = None) -> Float:
    """E of f(frequency) in models 1..T, from each of `values` of the source: float64 (generations, values).

    f maps frequencies (states,) to (states, 1), or to a column for each value. `chance` maps a model's frequency to the
    chance with which it writes.
    """
    here = _directly(int(sizes[0]), values, functional)
    follow = _backward if np.all(sizes == sizes[0]) else _forward
    return np.array([here, *follow(values, sizes.tolist(), functional, chance)])


def _read(reader: Any, ahead: Float) -> Float:
    """Row by row, with the one column of `ahead` or each with its own."""
    if ahead.shape[1] == 1:
        return np.asarray((reader @ ahead)[:, 0])
    return np.asarray(reader.multiply(ahead.T).sum(axis=1)).ravel()


def _backward(values: Float, sizes: list[int], functional: Functional, chance: Map | None) -> Iterator[Float]:
    """Equal samples: what lies ahead of a node, stepped back from the last sample to the second."""
    n = sizes[0]
    if len(sizes) == 1:
        return
    calm = _spreads(n, chance)
    grid = Grid.of(n)
    ahead, reader, step = _last(n, functional), _matrix(n, values[:, None], grid, chance), None
    for samples in range(1, len(sizes)):  # in `ahead`
        yield _read(reader, ahead)
        if samples + 1 == len(sizes):
            return
        level = (1 if samples < 3 else 2 if samples < 15 else WIDEST) if calm else 1
        wider = Grid.of(n, level)
        if wider != grid:  # one more sample makes it smooth enough for wider panels
            ahead = _step(n, wider, grid, chance) @ ahead
            grid, step, reader = wider, None, _matrix(n, values[:, None], wider, chance)
            continue
        if step is None:
            step = _plain_step(n, grid, grid) if chance is None else _step(n, grid, grid, chance)
        ahead = step @ ahead


def _forward(values: Float, sizes: list[int], functional: Functional, chance: Map | None) -> Iterator[Float]:
    """Any samples: the weight of each node, stepped on from the source."""
    law: Any = None
    known, move = (0, 0), None
    size, ahead = 0, np.zeros((0, 0))
    for before, now in pairwise(sizes):
        if law is None:
            law = _matrix(before, values[:, None], Grid.of(now), chance).toarray().T  # (nodes, values)
        else:
            if (before, now) != known:
                known, move = (before, now), _step(before, Grid.of(before), Grid.of(now), chance).T.tocsr()
            law = move @ law
        if now != size:
            size, ahead = now, _last(now, functional)
        yield np.sum(law * ahead, axis=0)


class Fresh(NamedTuple):
    """Training sets of `real` new points, each the symbol with chance `later`, and `written` of the last model's."""

    real: int
    written: int
    later: float

    def counts(self, chances: Float) -> tuple[int, Float]:
        """For chances of the last model close to one another: the first count kept, and float64 (chances, counts)."""
        low, law = band(self.written, chances)
        start, new = band(self.real, np.array([self.later]))
        return low + start, np.array([np.convolve(row, new[0]) for row in law])

    def window(self, value: float, generations: int) -> slice:
        """Panels in which a chain from `value` stays for so many generations, but for a tiny chance.

        So many standard deviations of the frequency in the angle, and of one sample beside.
        """
        points = self.real + self.written
        kept = (self.written / points) ** 2 * (1.0 - 1.0 / self.written)
        spread = (1.0 - kept**generations) / ((1.0 - kept) * points)
        far = REACH * 0.5 * (np.sqrt(spread) + 1.0 / np.sqrt(points))
        least, most = np.arcsin(np.sqrt([min(value, self.later), max(value, self.later)]))
        ends = np.array([least - far, most + far])
        panels = Grid.of(self.written).panels
        low, high = np.clip(np.floor(ends / (0.5 * np.pi) * panels), 0, panels - 1)
        return slice(int(low), int(high) + 1)

    def step(self, inside: slice, functional: Functional) -> tuple[Float, Float]:
        """Over the nodes of panels `inside`: one generation, float64 (nodes, nodes), and E of f after it, (nodes,)."""
        points, grid = self.real + self.written, Grid.of(self.written)
        width = (inside.stop - inside.start) * NODES
        move, last = np.zeros((width, width)), []
        for row, chances in enumerate(grid.nodes()[inside]):
            low, law = self.counts(chances)
            share = np.arange(low, low + law.shape[1], dtype=np.float64) / points
            last.append(law @ functional(share))
            _spread(law, share, grid, inside, move[row * NODES : (row + 1) * NODES])
        return move, np.concatenate(last)


def _spread(law: Float, share: Float, grid: Grid, inside: slice, out: Float) -> None:
    """Add the weights of nodes that a law of frequencies puts on them; what lies outside the panels is dropped."""
    panel, weights = grid.read(share)
    for there in range(max(int(panel[0]), inside.start), min(int(panel[-1]) + 1, inside.stop)):
        here = panel == there
        place = (there - inside.start) * NODES
        out[:, place : place + NODES] += law[:, here] @ weights[here]


def expected_fresh(value: float, first: int, fresh: Fresh, generations: int | None, functional: Functional) -> Float:
    """E of f(frequency) in models 1..T, from a source probability, f one to one: float64 (generations,).

    Training set 1 holds `first` real points. Without `generations` the one limit of T -> infinity.
    """
    low, law = band(first, np.array([value]))
    share = np.arange(low, low + law.shape[1], dtype=np.float64) / first
    out = [float(law[0] @ functional(share))]
    if generations == 1:
        return np.array(out)
    if fresh.written == 0:
        low, law = band(fresh.real, np.array([fresh.later]))
        after = float(law[0] @ functional(np.arange(low, low + law.shape[1], dtype=np.float64) / fresh.real))
        return np.array([after] if generations is None else out + [after] * (generations - 1))
    inside = fresh.window(value, LONG if generations is None else generations)
    nodes = (inside.stop - inside.start) * NODES
    require(nodes <= LARGEST_WINDOW, "so large a chain needs more fresh points or fewer generations: its frequencies "
            f"must stay within {LARGEST_WINDOW} nodes", nodes)  # fmt: skip
    move, ahead = fresh.step(inside, functional)
    if generations is None:  # the stationary law w: w = w move, with sum 1
        even = np.full(len(move), 1.0 / len(move))
        balance = np.eye(len(move)) - move + even[None, :]
        return np.array([np.linalg.solve(balance.T, even) @ ahead])
    start = np.zeros((1, len(move)))
    _spread(law, share, Grid.of(fresh.written), inside, start)
    for _ in range(generations - 1):
        out.append(float(start[0] @ ahead))
        ahead = move @ ahead
    return np.array(out)
