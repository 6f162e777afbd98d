"""What is declared of texts: who wrote them, which generation they are, what they were made from."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lightcollapse.errors import CardError, nearest, require
from lightcollapse.text.inputs import Inputs, Name
from lightcollapse.text.reading import Document, File, Format
from lightcollapse.text.texts import documents_of
from lightcollapse.text.tokens import Tokens

HUMAN, SYNTHETIC, MIXED, UNKNOWN = KINDS = ("human", "synthetic", "mixed", "unknown")
_BATCH = 2**20  # characters that are cut into tokens together
_MOST_LABELS = 8
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
JSON_LINES, PARQUET = "application/jsonlines", "application/vnd.apache.parquet"
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PAR1")  # a file may be other than its name says
_FORMATS = {
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".json": JSON_LINES,
    ".gz": "application/gzip",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
    ".parquet": PARQUET,
}


def plain(text: str) -> str:
    """A stranger's text on one line, without characters that steer a terminal, a page or a reader."""
    return "".join(" " if unicodedata.category(c) in _HIDDEN else c for c in text)


@dataclass
class Tally:
    """Documents and tokens by what is declared of them."""

    documents: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def add(self, kind: str, tokens: int) -> None:
        """One more document."""
        self.documents[kind] += 1
        self.tokens[kind] += tokens

    def take(self, other: Tally) -> None:
        """All that another holds."""
        for kind in KINDS:
            self.documents[kind] += other.documents[kind]
            self.tokens[kind] += other.tokens[kind]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that occur."""
        return tuple(kind for kind in KINDS if self.documents[kind])

    def share(self, kind: str) -> float:
        """Of the tokens; of the documents where there is no token."""
        counts = self.tokens if sum(self.tokens.values()) else self.documents
        return counts[kind] / max(1, sum(counts.values()))


@dataclass
class Certified:
    """A file as the certificate names it.

    Attributes:
        key: its identifier in the certificate; name: without folders.
        sha256: of its raw bytes; size: in bytes; form: a media type.
        declared: documents and tokens by kind.
        generations: those that its documents belong to.
        columns: of a file of records, what of a document each column holds (`text`, `generation`, `source`), and
            whether all that it holds are whole numbers; empty for other files.
        parents: keys of files, or names of what is not among them, that it is declared to be made from.
    """

    key: str
    name: str
    sha256: str = ""
    size: int = 0
    form: str = "text/plain"
    declared: Tally = field(default_factory=Tally)
    generations: tuple[Name, ...] = ()
    columns: tuple[tuple[str, str, bool], ...] = ()
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declared:
    """All that is declared.

    Attributes:
        files: in the order they were read.
        generations: documents and tokens by kind of each.
        twice: documents that occur under two different kinds, neither of them unknown.
        warnings: labels that are no kind, and where a record and an option differ.
    """

    files: tuple[Certified, ...]
    generations: dict[Name, Tally]
    twice: int
    warnings: tuple[str, ...]

    @property
    def whole(self) -> Tally:
        """Of all files."""
        total = Tally()
        for file in self.files:
            total.take(file.declared)
        return total


def kind_of(text: str) -> str:
    """The kind of that name. Raises CardError where it is none."""
    require(text in KINDS, f"a kind must be one of {', '.join(KINDS)}", text)
    return text


def declared(
    inputs: Inputs,
    how: Format,
    cut: Tokens,
    *,
    files: Mapping[str, str],
    labels: Mapping[str, str],
    parents: Sequence[tuple[str, str]],
    chain: bool,
) -> Declared:
    """Read all files and count what is declared.

    `files` name -> kind, for documents whose record declares nothing; `labels` what a source in a record means, such
    as {"gpt": "synthetic"}; `parents` (file, what it was made from) pairs; `chain` declares that every generation was
    made from the one before.

    Raises CardError where a name matches no file or several, DataError where one cannot be read.
    """
    paths = [path for path, _ in inputs.files]
    require("-" not in paths, "a certificate needs files, not standard input", "-")
    names = _Names(paths)
    given = {names.place(name): kind_of(kind) for name, kind in files.items()}
    reader = _Reader(how, cut, {label.casefold(): kind_of(kind) for label, kind in labels.items()})
    read: list[File] = []
    for generation, document in documents_of(inputs, how, read):
        reader.add(len(read) - 1, generation, document, given.get(len(read) - 1))
    reader.cut()
    certified = [reader.file(k, file) for k, file in enumerate(read)]
    ordered = [name for name, _ in sorted(reader.generations.items(), key=lambda item: _rank(item[0]))]
    for child, parent in [(names.place(child), parent) for child, parent in parents]:
        key = names.key(parent)
        require(key != certified[child].key, "a file cannot be its own parent", parent)
        require(bool(key) or not re.fullmatch(r"file-\d+", parent), "there is no such file", parent)
        certified[child].parents += (key or plain(parent),)
    if chain:
        for file in certified:
            before = {ordered[ordered.index(name) - 1] for name in file.generations if ordered.index(name)}
            made = [one.key for one in certified if before & set(one.generations) and one is not file]
            file.parents += tuple(key for key in made if key not in file.parents)
    generations = {name: reader.generations[name] for name in ordered}
    return Declared(tuple(certified), generations, reader.twice, tuple(reader.warnings()))


def _rank(name: Name) -> tuple[int, int, str]:
    return (0, name, "") if isinstance(name, int) else (1, 0 if name == HUMAN else 1, name)


class _Names:
    """Files by the path that was given, or by their name without folders."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)

    def _places(self, name: str) -> list[int]:
        whole = [k for k, path in enumerate(self.paths) if path == name]
        return whole or [k for k, path in enumerate(self.paths) if Path(path).name == name]

    def place(self, name: str) -> int:
        places = self._places(name)
        if not places:
            raise CardError(f"{name!r} is none of the files; {nearest(name, [Path(path).name for path in self.paths])}")
        require(len(places) == 1, "several files have this name; give the whole path", name)
        return places[0]

    def key(self, name: str) -> str:
        """The key of the file of that name; empty where there is none."""
        return f"file-{self.place(name) + 1}" if self._places(name) else ""


class _Reader:
    """Counts documents and tokens, a batch at a time."""

    def __init__(self, how: Format, cut: Tokens, labels: Mapping[str, str]) -> None:
        self.how = how
        self.tokens = cut
        self.labels = labels
        self.files: dict[int, Tally] = {}
        self.generations: dict[Name, Tally] = {}
        self.of_file: dict[int, dict[Name, None]] = {}
        self.columns: dict[int, dict[str, bool]] = {}
        self.twice = 0
        self._seen: dict[bytes, int] = {}
        self._strange: dict[str, int] = {}
        self._differ = 0
        self._held: list[tuple[int, Name, str]] = []
        self._texts: list[str] = []
        self._size = 0

    def add(self, place: int, generation: Name, document: Document, given: str | None) -> None:
        """One more document."""
        said = self._said(document)
        if said and given and said != given:
            self._differ += 1
        kind = said or given or UNKNOWN
        if kind != UNKNOWN:
            self._compare(document.text, kind)
        self.of_file.setdefault(place, {})[generation] = None
        columns = self.columns.setdefault(place, {"text": False})
        for what, value in (("generation", document.generation), ("source", document.source)):
            if value is not None:
                columns[what] = columns.get(what, True) and isinstance(value, int)
        self._held.append((place, generation, kind))
        self._texts.append(document.text)
        self._size += len(document.text)
        if self._size >= _BATCH:
            self.cut()

    def _said(self, document: Document) -> str | None:
        if document.source is None:
            return None
        label = document.source.casefold()
        if label in self.labels:
            return self.labels[label]
        if label in KINDS:
            return label
        self._strange[plain(document.source)[:40]] = self._strange.get(plain(document.source)[:40], 0) + 1
        return None

    def _compare(self, text: str, kind: str) -> None:
        """Note a text that is declared two ways; each is counted once, however often it comes."""
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        bit = 1 << KINDS.index(kind)
        before = self._seen.get(digest, 0)
        if before and not before & (before - 1) and before != bit:
            self.twice += 1
        self._seen[digest] = before | bit

    def cut(self) -> None:
        """Cut what is held into tokens, and count them."""
        ends = np.flatnonzero(self.tokens.encode(self._texts) == 0) if self._texts else np.empty(0, dtype=np.int64)
        lengths = np.diff(ends, prepend=-1) - 1
        for (place, generation, kind), length in zip(self._held, lengths.tolist(), strict=True):
            self.files.setdefault(place, Tally()).add(kind, length)
            self.generations.setdefault(generation, Tally()).add(kind, length)
        self._held, self._texts, self._size = [], [], 0

    def file(self, place: int, file: File) -> Certified:
        """What is known of a file."""
        form = _FORMATS.get(Path(file.name).suffix.lower(), "text/plain")
        columns = self._columns(place, file.path, form)
        return Certified(f"file-{place + 1}", plain(file.name), file.sha256, os.stat(file.path).st_size, form,
                         self.files[place], tuple(self.of_file[place]), columns)  # fmt: skip

    def _columns(self, place: int, path: str, form: str) -> tuple[tuple[str, str, bool], ...]:
        """What each column holds that a document was made from: role, name, whether whole numbers."""
        with open(path, "rb") as raw:
            head = raw.read(6)
        found = next((magic for magic in _PACKED if head.startswith(magic)), b"")
        if (form, found) not in ((JSON_LINES, b""), (PARQUET, b"PAR1")):
            return ()
        names = {"text": self.how.text_field, "generation": self.how.generation_field, "source": self.how.source_field}
        return tuple((what, names[what], whole) for what, whole in sorted(self.columns[place].items()))

    def warnings(self) -> list[str]:
        """What is odd about the declarations."""
        said = [
            f"source {label!r} of {count} documents is no kind ({', '.join(KINDS)}): taken for what the file is "
            "declared to be, or for unknown"
            for label, count in list(self._strange.items())[:_MOST_LABELS]
        ]
        if len(self._strange) > _MOST_LABELS:
            said.append(f"{len(self._strange) - _MOST_LABELS} more sources are no kind")
        if self._differ:
            said.append(f"{self._differ} documents declare another kind than their file: what the document says counts")
        return said


def sizes(tally: Tally) -> dict[str, Any]:
    """A tally as the certificate writes it: numbers, and shares of the tokens."""
    return {
        kind: {"documents": tally.documents[kind], "tokens": tally.tokens[kind], "share": round(tally.share(kind), 6)}
        for kind in KINDS
    }
