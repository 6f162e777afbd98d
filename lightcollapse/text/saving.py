"""Counts of n-grams as a file: saved, loaded, and those of several machines merged.

A `.counts` file is a ZIP of plain NumPy arrays (never a pickle) and `header.json` with the SHA-256 of each. It holds
n-grams, not texts; but long n-grams that occur once are text: a file of counts is as confidential as what it counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shlex
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import DataError, LightcollapseError, LimitError, require
from lightcollapse.text import sketches
from lightcollapse.text.blocks import BLOCKS
from lightcollapse.text.entries import Runs, sort_rows
from lightcollapse.text.inputs import BASELINE_SOURCE, Name
from lightcollapse.text.reading import File
from lightcollapse.text.texts import MOST_OWNERS, Generation, Texts

SUFFIX = ".counts"
FORMAT = "lightcollapse-counts"
VERSION = 1
MOST_BYTES = 2**36  # unpacked, of a file that is loaded
_HEADER = "header.json"
_MOST_HEADER = 2**27
_ENTRIES = {"shared": "|u1", "left": "|u1", "owner": "<i4", "weight": "<i4", "fresh": "<i4"}
_TYPES = _ENTRIES | {"names": "|u1", "starts": "<i8", "repeated": "<i8", "ngrams": "<i8", "documents": "<i8",
                     "symbols": "<i8", "repeats": "<i8", "copies": "<i8"}  # fmt: skip
_OF_BLOCKS = ("documents", "symbols", "repeats", "copies")


class _Generation(msgspec.Struct, forbid_unknown_fields=True):
    name: int | str
    empty: int
    read: int
    pieces: bool
    longest: int
    compressed: list[tuple[int, int]]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    sha256: str
    documents: int
    replaced: int
    skipped: int
    wrappers: int


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    version: int
    unit: str
    by_source: bool
    whole: bool
    order: int
    blocks: int
    alphabet: int
    generations: list[_Generation]
    files: list[_File]
    sha256: dict[str, str]


def save(texts: Texts, path: str) -> None:
    """Write the counts of texts whose symbols were kept; a file that was there is replaced only by a whole one.

    Raises CardError where the name does not end in `.counts`, LightcollapseError where it cannot be written.
    """
    parts = texts.entries.parts
    arrays = {
        **{
            name: np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]).astype(kind)
            for name, kind in _ENTRIES.items()
        },
        "names": texts.names_of_symbols[0],
        "starts": texts.names_of_symbols[1],
        "repeated": texts.repeated,
        "ngrams": texts.ngrams,
        **{name: np.stack([getattr(one, name) for one in texts.generations]) for name in _OF_BLOCKS},
    }
    _pack(path, _header(texts), {name: np.ascontiguousarray(array, _TYPES[name]) for name, array in arrays.items()})


def save_sketches(found: sketches.Sketches, path: str) -> None:
    """Write sketches, as `save` writes counts."""
    _pack(path, {"format": sketches.FORMAT, "version": VERSION, **found.header()}, found.members())


def _pack(path: str, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    named(path)
    temporary = f"{path}.{os.getpid()}.part"
    try:
        with (
            open(temporary, "xb") as stream,
            zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out,
        ):
            digests = {name: _write(out, name, array) for name, array in arrays.items()}
            out.writestr(_member(_HEADER), json.dumps(header | {"sha256": digests}).encode())
        os.replace(temporary, path)
    except OSError as error:
        raise LightcollapseError(f"cannot write {path!r}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            Path(temporary).unlink(missing_ok=True)


def named(path: str) -> None:
    """Raises CardError unless it is the name of a file of counts, LightcollapseError where its folder is missing."""
    require(path.endswith(SUFFIX), f"the file for the counts must end in {SUFFIX}", path)
    if not Path(path).parent.is_dir():
        raise LightcollapseError(f"cannot write {path!r}: its folder is missing")


def _member(name: str) -> zipfile.ZipInfo:
    """An entry without a date, so that the same counts are the same bytes."""
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def _write(out: zipfile.ZipFile, name: str, array: NDArray[Any]) -> str:
    member = _member(f"{name}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED
    with out.open(member, "w", force_zip64=True) as stream:
        hashed = _Hashed(stream)
        np.lib.format.write_array_header_1_0(hashed, np.lib.format.header_data_from_array_1_0(array))
        data: Any = array.reshape(-1).view(np.uint8)  # an array by bytes: written without a copy of it
        for begin in range(0, len(data), 2**24):
            hashed.write(data[begin : begin + 2**24])
    return hashed.digest.hexdigest()


class _Hashed:
    """A stream that hashes what is written to it, or read from it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self._stream.write(data)
        return len(data)

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self.digest.update(data)
        return data


def _header(texts: Texts) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "unit": texts.unit,
        "by_source": texts.by_source,
        "whole": texts.whole,
        "order": texts.order,
        "blocks": BLOCKS,
        "alphabet": texts.alphabet,
        "generations": [
            {name: getattr(one, name) for name in ("name", "empty", "read", "pieces", "longest", "compressed")}
            for one in texts.generations
        ],
        "files": [
            {name: getattr(file, name) for name in ("name", "sha256", "documents", "replaced", "skipped", "wrappers")}
            for file in texts.files
        ],
    }


def _again(path: str) -> str:
    """What to do about a file of counts that cannot be used."""
    return f"save it anew: lightcollapse measure FILES --save-counts {shlex.quote(path)}"


def _present(path: str) -> None:
    """Raises DataError where there is no such file, or it is a directory."""
    if Path(path).is_dir():
        raise DataError(f"{path!r} is a directory; give the file of counts in it")
    if not os.path.lexists(path):
        raise DataError(
            f"no such file: {path!r}; give what was saved by: lightcollapse measure FILES --save-counts "
            f"{shlex.quote(path)}"
        )


class _Packed:
    """A file of ours: its header, and its arrays, whose hashes are checked as they are read."""

    def __init__(self, path: str) -> None:
        """Raises DataError where it is damaged, or no file of counts."""
        self.path = path
        _present(path)
        with self._guarded():
            self._zip = zipfile.ZipFile(path)
        with self._guarded():
            self.raw = self._read_header()
        try:
            said = msgspec.json.decode(self.raw)
            self.format, version, self.digests = said["format"], said["version"], dict(said["sha256"])
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise self.damaged(f"its header: {error}") from None
        if self.format not in (FORMAT, sketches.FORMAT):
            raise self.damaged(f"its format is {self.format!r:.40}")
        if version != VERSION:
            raise DataError(
                f"{path!r} is of version {version!r:.20} of the format, this program reads {VERSION}; {_again(path)}"
            )

    def damaged(self, why: str) -> DataError:
        """The error of a file that is not as it was written."""
        return DataError(f"{self.path!r} is damaged, or no file of counts: {why}; {_again(self.path)}")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError) as error:
            raise self.damaged(str(error.args[0] if error.args else error)) from None
        except OSError as error:
            raise DataError(f"cannot read {self.path!r}: {error.strerror or error}") from None

    def close(self) -> None:
        """Nothing more is read."""
        self._zip.close()

    def _read_header(self) -> bytes:
        if sum(member.file_size for member in self._zip.infolist()) > MOST_BYTES:
            raise LimitError(f"{self.path!r} holds more than {MOST_BYTES} bytes")
        if self._zip.getinfo(_HEADER).file_size > _MOST_HEADER:
            raise self.damaged("its header is too large")
        with self._zip.open(_HEADER) as stream:
            return stream.read(_MOST_HEADER + 1)

    def array(self, name: str, kind: str) -> NDArray[Any]:
        """An array by name. Raises DataError where it is not of that kind, or not what was written."""
        with self._guarded():
            size = self._zip.getinfo(f"{name}.npy").file_size
            with self._zip.open(f"{name}.npy") as stream:
                hashed = _Hashed(stream)
                try:
                    if np.lib.format.read_magic(hashed) != (1, 0):  # type: ignore[arg-type]
                        raise ValueError("of another version")
                    shape, turned, found = np.lib.format.read_array_header_1_0(hashed)  # type: ignore[arg-type]
                except Exception as error:  # NumPy's parser raises errors of many kinds on headers that are none
                    raise self.damaged(f"{name}: {error}") from None
                length = int(np.prod(shape, dtype=object)) * found.itemsize if shape else 0
                if found.str != kind or turned or not shape or min(shape) < 0 or length > size:
                    raise self.damaged(f"{name} is no array as it should be")
                data = bytearray()
                while len(data) < length:
                    piece = hashed.read(min(2**24, length - len(data)))
                    if not piece:
                        raise self.damaged(f"{name} is cut short")
                    data += piece
        if hashed.digest.hexdigest() != self.digests.get(name):
            raise self.damaged(f"{name} does not have the SHA-256 that its header says")
        return np.frombuffer(data, dtype=kind).reshape(shape)


class Counted:
    """What a file of counts holds, checked: its header, and arrays by name."""

    def __init__(self, path: str) -> None:
        """Raises DataError where the file is damaged or no file of counts, LimitError where it is too large."""
        self.path = path
        packed = _Packed(path)
        self._damaged = packed.damaged
        try:
            if packed.format != FORMAT:
                raise DataError(f"{path!r} holds sketches of --approximate, not counts; merge it with its like")
            self.header = self._known(packed.raw)
            self.arrays = {name: packed.array(name, kind) for name, kind in _TYPES.items()}
        finally:
            packed.close()
        self._check()

    def _known(self, raw: bytes) -> _Header:
        try:
            header = msgspec.json.decode(raw, type=_Header)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise self._damaged(f"its header: {error}") from None
        good = header.format == FORMAT and header.blocks == BLOCKS and 1 <= header.order <= 8
        numbers = [n for one in header.generations for n in (one.empty, one.read, one.longest)]
        packings = [n for one in header.generations for pair in one.compressed for n in pair]
        if not good or not header.generations or min(numbers) < 0 or min(packings, default=1) < 1:
            raise self._damaged("its header holds numbers that cannot be")
        if len({one.name for one in header.generations}) < len(header.generations):
            raise self._damaged("a generation comes twice in its header")
        if len(header.generations) > MOST_OWNERS // BLOCKS:
            raise self._damaged("too many generations")
        return header

    def _check(self) -> None:
        """Whether the numbers fit one another."""
        from lightcollapse.kernels import packing

        a, header = self.arrays, self.header
        owners, size = len(header.generations) * BLOCKS, len(a["shared"])
        shapes: dict[str, tuple[int, ...]] = {name: (size,) for name in ("shared", "left", "owner", "weight")}
        shapes |= {"repeated": (header.order, owners), "ngrams": (header.order, owners)}
        shapes |= {name: (len(header.generations), BLOCKS) for name in _OF_BLOCKS}
        shapes |= {"starts": (header.alphabet + 1,)}
        good = all(a[name].shape == shape for name, shape in shapes.items()) and a["fresh"].ndim == a["names"].ndim == 1
        good = good and bool(size) and int(a["owner"].min()) >= 0 and int(a["owner"].max()) < owners
        good = good and int(a["weight"].min()) >= 1 and bool(np.all(np.diff(a["starts"]) >= 0))
        good = good and int(a["starts"][0]) == 0 and int(a["starts"][-1]) == len(a["names"])
        good = good and int(a["fresh"].min()) >= 1 and int(a["fresh"].max()) <= header.alphabet
        if not good:
            raise self._damaged("its arrays do not fit one another")
        self.rows = np.zeros((size, header.order), dtype=np.int32)
        if packing.spread_symbols(a["fresh"], a["shared"], a["left"], self.rows) != len(a["fresh"]):
            raise self._damaged("its n-grams do not fit one another")
        for n in range(1, header.order + 1):
            whole = a["left"] >= n
            held = np.bincount(a["owner"][whole], weights=a["weight"][whole], minlength=owners)
            if not np.array_equal(held, a["ngrams"][n - 1]):
                raise self._damaged("its n-grams are not as many as it says")


def load(paths: Sequence[str], *, keep: bool = False) -> Texts:
    """The counts of files, merged: what one measurement of all their texts would have counted.

    The same document in two files counts twice, unknown as a duplicate. Raises DataError where a file is damaged, or
    does not fit the first, by name.
    """
    first: _Header | None = None
    symbols: dict[bytes, int] = {}
    found: dict[Name, Generation] = {}
    files: list[File] = []
    runs: Runs | None = None
    repeated = np.zeros((0, 0), dtype=np.int64)
    for path in paths:
        one = Counted(path)
        header = one.header
        if first is None or runs is None:
            first, runs = header, Runs(header.order, MOST_OWNERS)
            repeated = np.zeros((header.order, MOST_OWNERS), dtype=np.int64)
        _same(first, header, paths[0], path)
        renumbered = _renumbered(one, symbols)
        owners = np.empty(len(header.generations) * BLOCKS, dtype=np.int32)
        for g, said in enumerate(header.generations):
            generation = found.setdefault(said.name, Generation(said.name, len(found), header.order))
            if generation.place >= MOST_OWNERS // BLOCKS:
                raise LimitError(f"more than {MOST_OWNERS // BLOCKS} generations; merge them in several runs")
            here = slice(g * BLOCKS, (g + 1) * BLOCKS)
            owners[here] = generation.place * BLOCKS + np.arange(BLOCKS)
            _join(generation, said, {name: one.arrays[name][g] for name in _OF_BLOCKS}, one.arrays["ngrams"][:, here])
        repeated[:, owners] += one.arrays["repeated"]
        rows = renumbered[one.rows]
        entries, rows = sort_rows(rows, owners[one.arrays["owner"]], one.arrays["weight"].copy(), len(symbols),
                                  MOST_OWNERS, False)  # fmt: skip
        runs.add(iter([(entries, rows)]))
        files += [File(f.name, f.sha256, f.documents, f.replaced, f.skipped, f.wrappers) for f in header.files]
    if first is None or runs is None:
        raise DataError("no file of counts was given")
    order = _ordered(found, first)
    owners = np.zeros(MOST_OWNERS, dtype=np.int32)
    for g, name in enumerate(order):
        begin = found[name].place * BLOCKS
        owners[begin : begin + BLOCKS] = np.arange(g * BLOCKS, (g + 1) * BLOCKS)
    used = owners[: len(order) * BLOCKS]
    ordered = np.zeros((first.order, len(used)), dtype=np.int64)
    ordered[:, used] = repeated[:, : len(used)]
    starts = np.cumsum([0, *map(len, symbols)], dtype=np.int64)
    return Texts(
        by_source=first.by_source, unit=first.unit, whole=first.whole, order=first.order, alphabet=len(symbols),
        generations=tuple(found[name] for name in order),
        entries=runs.merged(len(symbols), used, keep=keep), repeated=ordered,
        names_of_symbols=(np.frombuffer(b"".join(symbols), dtype=np.uint8), starts), files=tuple(files), models=False,
    )  # fmt: skip


def _same(first: _Header, header: _Header, path: str, other: str) -> None:
    for name, what in (("unit", "unit or tokenizer"), ("order", "order")):
        a, b = getattr(first, name), getattr(header, name)
        if a != b:
            raise DataError(f"{other!r} has the {what} {b!r}, {path!r} has {a!r}: counts of different kinds do not add")


def _renumbered(one: Counted, symbols: dict[bytes, int]) -> NDArray[np.int32]:
    """The number of each of the file's symbols among all, int32 (alphabet + 1,); 0 stays."""
    raw = one.arrays["names"].tobytes()
    names = [raw[a:b] for a, b in itertools.pairwise(one.arrays["starts"].tolist())]
    if len(set(names)) < len(names):
        raise DataError(f"{one.path!r} is damaged, or no file of counts: a symbol comes twice")
    return np.array([0, *(symbols.setdefault(name, len(symbols) + 1) for name in names)], dtype=np.int32)


def _join(generation: Generation, said: _Generation, by_block: dict[str, Any], ngrams: NDArray[np.int64]) -> None:
    for name, values in by_block.items():
        setattr(generation, name, getattr(generation, name) + values)
    generation.ngrams = generation.ngrams + ngrams
    generation.empty += said.empty
    generation.read += said.read
    generation.pieces = generation.pieces or said.pieces
    generation.longest = max(generation.longest, said.longest)
    generation.compressed += said.compressed


def _ordered(found: dict[Name, Generation], first: _Header) -> list[Name]:
    """The generations, the baseline first."""
    if all(isinstance(name, int) for name in found):
        order = sorted(found, key=int)
        if order[0] != 0:
            some = ", ".join(map(str, order[:8]))
            raise DataError(f"no counts of generation 0, the human baseline; found {some}; merge them with its file")
        return list(order)
    baseline = BASELINE_SOURCE if first.by_source else first.generations[0].name
    if baseline not in found:
        raise DataError(f"no counts of the source {baseline!r}, the baseline; merge them with its file")
    return [baseline, *sorted((name for name in found if name != baseline), key=str)]


def load_sketches(paths: Sequence[str]) -> sketches.Sketches:
    """Sketches of files, merged."""
    parts = []
    for path in paths:
        packed = _Packed(path)
        try:
            if packed.format != sketches.FORMAT:
                raise DataError(f"{path!r} holds counts, not sketches of --approximate; merge it with its like")
            members = {name: packed.array(name, "|u1").tobytes() for name in packed.digests}
        finally:
            packed.close()
        parts.append(sketches.loaded(packed.raw, members, path))
    return sketches.merged(parts, paths)


def is_sketched(path: str) -> bool:
    """Whether a file holds sketches. Raises DataError where it is damaged."""
    packed = _Packed(path)
    packed.close()
    return bool(packed.format == sketches.FORMAT)
