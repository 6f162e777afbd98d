"""Numbers of n-grams at web scale, approximately: theta sketches of Apache DataSketches, which add up over machines.

A sketch keeps the smallest hashes of what it has seen; memory does not grow with the text. It knows how many n-grams
there are, and how many of the baseline's a generation has; it knows no counts, so nothing else is measured.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import DataError
from lightcollapse.text.blocks import BLOCKS
from lightcollapse.text.entries import Entries
from lightcollapse.text.inputs import Inputs, Name
from lightcollapse.text.reading import File, Format, extra
from lightcollapse.text.texts import CHUNK, Gatherer, read_into
from lightcollapse.text.tokens import Tokens

FORMAT = "lightcollapse-sketches"
SIZE = 14  # log2 of the hashes that are kept: an error of 0.8 %
_DEVIATIONS = 2  # of an interval of 95 %
_BETWEEN = "\x1f"


def library() -> Any:
    """Apache DataSketches. Raises MissingExtra where it is not installed."""
    return extra("datasketches", "--approximate", "sketch")


class Sketches:
    """One sketch for each generation and length of n-grams.

    Attributes:
        unit, order: what was counted; names: the generations; ngrams: int64 (generations, order), exact.
        found: sketches by generation and n; files: every file.
    """

    def __init__(self, unit: str, order: int, names: Sequence[Name], ngrams: NDArray[np.int64], found: dict[Any, Any],
                 files: Sequence[File]) -> None:  # fmt: skip
        self.unit = unit
        self.order = order
        self.names = tuple(names)
        self.ngrams = ngrams
        self.found = found
        self.files = tuple(files)

    def support(self, generation: int, n: int) -> tuple[float, float, float]:
        """How many n-grams there are, and the ends of its interval."""
        return _interval(self.found[self.names[generation], n])

    def kept(self, generation: int, n: int) -> tuple[float, float, float]:
        """Share of the baseline's n-grams that the generation has too, and the ends of its interval."""
        both = library().theta_intersection()
        both.update(self.found[self.names[0], n])
        both.update(self.found[self.names[generation], n])
        value, low, high = _interval(both.get_result())
        whole, least, most = self.support(0, n)
        return value / max(whole, 1.0), low / max(most, 1.0), min(1.0, high / max(least, 1.0))

    def header(self) -> dict[str, Any]:
        """What a file of sketches says of itself."""
        files = [vars(file) | {"path": file.name} for file in self.files]
        return {"unit": self.unit, "order": self.order, "generations": list(self.names), "size": SIZE,
                "ngrams": self.ngrams.tolist(), "files": files}  # fmt: skip

    def members(self) -> dict[str, NDArray[np.uint8]]:
        """The bytes of each sketch, by name."""
        return {
            f"{g}.{n}": np.frombuffer(self.found[name, n].serialize(), dtype=np.uint8)
            for (g, name), n in itertools.product(enumerate(self.names), range(1, self.order + 1))
        }


def _interval(sketch: Any) -> tuple[float, float, float]:
    return (
        float(sketch.get_estimate()),
        float(sketch.get_lower_bound(_DEVIATIONS)),
        float(sketch.get_upper_bound(_DEVIATIONS)),
    )


class _Sink:
    """Takes sorted runs, as `entries.Runs` does, but keeps sketches of them only."""

    def __init__(self, gatherer: Gatherer) -> None:
        self._make = library().update_theta_sketch
        self._gatherer = gatherer
        self.found: dict[tuple[int, int], Any] = {}

    def add(self, parts: Iterator[tuple[Entries, NDArray[np.int32]]]) -> None:
        raw, starts = self._gatherer.cut.names()
        data = raw.tobytes()
        names = ["", *(data[a:b].decode("latin-1") for a, b in itertools.pairwise(starts.tolist()))]
        for entries, rows in parts:
            for n in range(1, self._gatherer.order + 1):
                self._add(n, entries, rows, names)

    def _add(self, n: int, entries: Entries, rows: NDArray[np.int32], names: list[str]) -> None:
        whole = entries.left >= n
        types = np.cumsum(entries.shared < n)[whole]
        places = entries.owner[whole].astype(np.int64) // BLOCKS
        _, first = np.unique(types * np.int64(2**13) + places, return_index=True)
        grams = rows[whole][first][:, :n].tolist()
        for place, gram in zip(places[first].tolist(), grams, strict=True):
            sketch = self.found.get((place, n))
            if sketch is None:
                sketch = self.found[place, n] = self._make(SIZE)
            sketch.update(_BETWEEN.join([names[symbol] for symbol in gram]))


def sketch(inputs: Inputs, how: Format, cut: Tokens, order: int, seed: int, *, chunk: int = CHUNK) -> Sketches:
    """Read all files into sketches. Raises as `texts.gather` does, and MissingExtra."""
    library()
    gatherer = Gatherer(cut, order, seed, chunk)
    sink = _Sink(gatherer)
    gatherer.runs = sink
    files, names = read_into(gatherer, inputs, how)
    gatherer.spill()
    places = {name: gatherer.generations[name].place for name in names}
    empty = library().update_theta_sketch(SIZE)
    found = {
        (name, n): sink.found.get((place, n), empty).compact()
        for (name, place), n in itertools.product(places.items(), range(1, order + 1))
    }
    ngrams = np.array([gatherer.generations[name].ngrams.sum(axis=1) for name in names], dtype=np.int64)
    return Sketches(cut.unit, order, names, ngrams, found, files)


def merged(parts: Sequence[Sketches], paths: Sequence[str]) -> Sketches:
    """What one pass over all texts would have kept. Raises DataError where they are of different kinds."""
    first = parts[0]
    names: dict[Name, int] = {}
    for part, path in zip(parts, paths, strict=True):
        if (part.unit, part.order) != (first.unit, first.order):
            raise DataError(
                f"{path!r} holds {part.unit} up to order {part.order}, {paths[0]!r} {first.unit} up to order "
                f"{first.order}: sketches of different kinds do not add"
            )
        for name in part.names:
            names.setdefault(name, len(names))
    order = sorted(names, key=int) if all(isinstance(name, int) for name in names) else list(names)
    found = {}
    ngrams = np.zeros((len(order), first.order), dtype=np.int64)
    for name in order:
        holders = [part for part in parts if name in part.names]
        ngrams[order.index(name)] = sum(part.ngrams[part.names.index(name)] for part in holders)
        for n in range(1, first.order + 1):
            union = library().theta_union(SIZE)
            for part in holders:
                union.update(part.found[name, n])
            found[name, n] = union.get_result()
    return Sketches(first.unit, first.order, order, ngrams, found, [file for part in parts for file in part.files])


def loaded(header: bytes, members: dict[str, bytes], path: str) -> Sketches:
    """Sketches from the parts of a file whose hashes were checked. Raises DataError where they do not fit."""
    try:
        said = json.loads(header)
        names, order = said["generations"], int(said["order"])
        load = library().compact_theta_sketch.deserialize
        found = {
            (name, n): load(members[f"{g}.{n}"])
            for (g, name), n in itertools.product(enumerate(names), range(1, order + 1))
        }
        files = [File(**file) for file in said["files"]]
        ngrams = np.array(said["ngrams"], dtype=np.int64).reshape(len(names), order)
        return Sketches(str(said["unit"]), order, names, ngrams, found, files)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path!r} is damaged, or no file of sketches: {error}; save it anew") from None
