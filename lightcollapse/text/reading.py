"""Reading generations of text: plain, JSON lines or JSON lists, as they are or compressed, a line at a time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from lightcollapse.corpus import stat
from lightcollapse.corpus.lists import is_list, is_named_json, items, why
from lightcollapse.errors import DataError, LimitError, MissingExtra, require

ERRORS = ("strict", "replace", "skip")
LONGEST_LINE = 2**28  # bytes: a line is held in memory, and a small file can hide a huge one
MAX_BYTES = 2**30

_WRAPPER = re.compile("\ufeff[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
_BLANK = b" \t\r\n"
_PACKED = 2**11  # compressed bytes that are unpacked together: a bomb of zstd makes 64 MiB of them at most
_ROWS = 1024  # of a table, read together
_LONGEST_NAME = 200  # characters of a source: it stands in every row of a table


@dataclass(frozen=True)
class Format:
    """How files are read.

    Attributes:
        errors: what to do about a document that is broken: refuse the file, mend it, or leave it out.
        text_field, generation_field, source_field: names in JSON lines.
        max_bytes: of all text together, decompressed.
    """

    errors: str = "strict"
    text_field: str = "text"
    generation_field: str = "generation"
    source_field: str = "source"
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        require(self.errors in ERRORS, f"errors must be one of {', '.join(ERRORS)}", self.errors)
        require(self.max_bytes >= 1, "max_bytes must be at least 1", self.max_bytes)
        names = (self.text_field, self.generation_field, self.source_field)
        require(len(set(names)) == 3 and all(names), "the fields of a record must have three different names", names)


@dataclass(frozen=True)
class Document:
    """One text and its place, such as `line 3`; the generation and source that its record names, None where none."""

    text: str
    place: str
    generation: int | str | None = None
    source: str | None = None


@dataclass
class File:
    """What is known of a file once it is read: name, SHA-256 of its raw bytes, and what was done to it."""

    path: str
    sha256: str = ""
    documents: int = 0
    replaced: int = 0
    skipped: int = 0
    wrappers: int = 0

    @property
    def name(self) -> str:
        """The file's name, without its directory."""
        return "-" if self.path == "-" else Path(self.path).name


@dataclass
class Budget:
    """Bytes of text that may still be read."""

    left: int
    whole: int = field(init=False)

    def __post_init__(self) -> None:
        self.whole = self.left

    def spend(self, size: int, path: str) -> None:
        """Raises LimitError where it is overdrawn."""
        self.left -= size
        if self.left < 0:
            raise LimitError(
                f"{path!r}: more than {self.whole} bytes of text in all; give less, or a larger --max-bytes"
            )


class _Hashed(io.RawIOBase):
    """A stream that hashes what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self.digest.update(data)
        return len(data)


def read(file: File, how: Format, budget: Budget) -> Iterator[Document]:
    """The documents of a file (`-`: of standard input), one after another; fills in what is known of the file.

    Raises DataError naming file, line and byte where something is no text, LimitError where there is too much.
    """
    path = file.path
    if path != "-":
        stat(path)
    try:
        with _bytes(path) as raw:
            hashed = _Hashed(raw)
            buffered = io.BufferedReader(hashed, 2**18)
            if buffered.peek(4)[:4] == b"PAR1":
                documents = _table(_Lines(buffered, file, how, budget))
            else:
                documents = _documents(_decompressed(buffered, path), file, how, budget)
            for document in documents:
                file.documents += 1
                yield document
            while buffered.read(2**20):  # what lies behind compressed data belongs to the file's hash
                pass
            file.sha256 = hashed.digest.hexdigest()
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"cannot decompress {path!r}: {error}") from None
    except OSError as error:
        raise DataError(f"cannot read {path!r}: {error.strerror or error}") from None


def _bytes(path: str) -> BinaryIO:
    if path != "-":
        return open(path, "rb", buffering=0)
    if sys.stdin is None or not hasattr(sys.stdin, "buffer"):
        raise DataError("standard input cannot be read; give the path of a file")
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


def _decompressed(stream: Any, path: str) -> io.BufferedIOBase:
    """What a buffered stream holds, unpacked where its first bytes say that it is packed."""
    head = stream.peek(6)[:6]
    if head[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=stream), 2**18)
    if head == b"\xfd7zXZ\x00":
        return io.BufferedReader(lzma.LZMAFile(stream), 2**18)
    if head[:4] == b"\x28\xb5\x2f\xfd":
        return io.BufferedReader(_Zstd(stream, path), 2**18)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path!r}, line 1, byte 0: this is UTF-16; save it as UTF-8")
    plain: io.BufferedIOBase = stream
    return plain


def extra(package: str, what: str, extra: str) -> Any:
    """The package. Raises MissingExtra where it is not installed."""
    try:
        return import_module(package)
    except ImportError:
        pip = f'pip install "lightcollapse[{extra}]"'
        raise MissingExtra(f"{what} needs the package {package.partition('.')[0]}: {pip}") from None


class _Zstd(io.RawIOBase):
    """What a stream compressed with zstd holds, all of its frames. Refuses a stream that is cut short."""

    def __init__(self, stream: Any, path: str) -> None:
        library = extra("zstandard", f"{path!r} is compressed with zstd: reading it", "zstd")
        self._error: type[Exception] = library.ZstdError
        self._make = library.ZstdDecompressor().decompressobj
        self._frame = self._make()
        self._stream = stream
        self._path = path
        self._held = b""
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._given >= len(self._held):
            data = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                data = data or self._stream.read(_PACKED)
                if not data:
                    return 0
                self._frame = self._make()
            else:
                data = self._stream.read(_PACKED)
                if not data:
                    raise DataError(f"cannot decompress {self._path!r}: its end is missing")
            try:
                self._held, self._given = self._frame.decompress(data), 0
            except self._error as error:
                raise DataError(f"cannot decompress {self._path!r}: {error}") from None
        size = min(len(buffer), len(self._held) - self._given)
        buffer[:size] = self._held[self._given : self._given + size]
        self._given += size
        return size


def _table(reader: _Lines) -> Iterator[Document]:
    """The rows of a Parquet file; a row is named where the line of a text file would be."""
    file, how = reader.file, reader.how
    path = file.path
    library = extra("pyarrow", f"{path!r} is a Parquet file: reading it", "parquet")
    parquet = extra("pyarrow.parquet", f"{path!r} is a Parquet file: reading it", "parquet")
    if path == "-":
        raise DataError("a Parquet file cannot be read from standard input; give its path")
    try:
        table = parquet.ParquetFile(path)
        known = set(table.schema_arrow.names)
        if how.text_field not in known:
            raise DataError(f"{path!r} has no column {how.text_field!r}, only {', '.join(sorted(known))[:200]}")
        fields = (how.text_field, how.generation_field, how.source_field)
        row = 0
        for batch in table.iter_batches(_ROWS, columns=[name for name in fields if name in known]):
            columns = [batch.column(name) if name in batch.schema.names else [None] * len(batch) for name in fields]
            for text, generation, source in zip(*columns, strict=True):
                row += 1
                document = _of_row(reader, row, *map(_value, (text, generation, source)))
                if document is not None:
                    yield document
    except (library.lib.ArrowException, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"cannot read the Parquet file {path!r}: {first}") from None


def _value(cell: Any) -> Any:
    """A cell of a table in Python: bytes where it is no UTF-8."""
    try:
        return cell.as_py() if hasattr(cell, "as_py") else cell
    except UnicodeDecodeError:
        return bytes(cell.as_buffer())


def _of_row(reader: _Lines, row: int, text: Any, generation: Any, source: Any) -> Document | None:
    """A row as a document; None where it is left out."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    if not isinstance(text, bytes) or not isinstance(generation, int | str | None):
        reader.refuse(row, f": a row must hold text, got {type(text).__name__}")
        return None
    reader.spend(len(text), row)
    whole = reader.text(row, 0, text)
    return None if whole is None else reader.document(whole, row, generation, None if source is None else str(source))


def _documents(stream: io.BufferedIOBase, file: File, how: Format, budget: Budget) -> Iterator[Document]:
    reader = _Lines(stream, file, how, budget)
    first = next((line for line in reader if line[2].strip(_BLANK)), None)
    if first is None:
        return
    decoder = _decoder(how)
    if is_list(first[2], file.path, decoder):
        yield from _records(_items(first, reader), reader, decoder)
    elif _is_json_lines(first[2], file.path, decoder):
        yield from _records(_with_first(first, reader), reader, decoder)
    else:
        yield from _paragraphs(first, reader)


class _Lines(Iterator[tuple[int, int, bytes]]):
    """Lines with their number and the byte at which they begin; ends are `\\n` only."""

    def __init__(self, stream: io.BufferedIOBase, file: File, how: Format, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._number = 0
        self._offset = 0
        self.file = file
        self.how = how
        self.what = "line"  # that documents are counted by

    def __next__(self) -> tuple[int, int, bytes]:
        line = self._stream.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        path, number, offset = self.file.path, self._number + 1, self._offset
        if len(line) > LONGEST_LINE:
            raise LimitError(f"{path!r}, line {number}: longer than {LONGEST_LINE} bytes; break it into lines")
        self._budget.spend(len(line), path)
        self._number, self._offset = number, offset + len(line)
        if number == 1 and line.startswith(b"\xef\xbb\xbf"):
            return number, 3, line[3:]
        return number, offset, line

    def spend(self, size: int, number: int) -> None:
        """Raises LimitError where a text is too long, or all are too much."""
        if size > LONGEST_LINE:
            raise LimitError(f"{self.file.path!r}, {self.what} {number}: longer than {LONGEST_LINE} bytes")
        self._budget.spend(size, self.file.path)

    def refuse(self, number: int, problem: str) -> None:
        """Raise DataError, or count a document that is left out."""
        if self.how.errors != "skip":
            raise DataError(f"{self.file.path!r}, {self.what} {number}{problem}")
        self.file.skipped += 1

    def text(self, number: int, offset: int, line: bytes) -> str | None:
        """The line as text; None where it is left out."""
        try:
            return self.whole(number, line.decode(), lambda nul: offset + len(line.decode()[:nul].encode()))
        except UnicodeDecodeError as error:
            if self.how.errors == "replace":
                self.file.replaced += 1
                return self.whole(number, line.decode(errors="replace"), lambda nul: offset)
            self.refuse(
                number,
                f", byte {offset + error.start}: invalid UTF-8 ({error.reason}, 0x{line[error.start]:02x}); "
                "convert the file to UTF-8, or use --errors replace or skip",
            )
            return None

    def whole(self, number: int, text: str, place: Any = None) -> str | None:
        """The text without invisible wrappers; NUL characters are refused, mended or left out."""
        nul = text.find("\x00")
        if nul >= 0:
            if self.how.errors != "replace":
                byte = f", byte {place(nul)}" if place else ""
                self.refuse(number, f"{byte}: a NUL character; text has none: is this UTF-16 or a binary file?")
                return None
            self.file.replaced += 1
            text = text.replace("\x00", "\ufffd")
        if "\ufeff" in text:
            text, found = _WRAPPER.subn("", text)
            self.file.wrappers += found
        return text

    def document(self, text: str, number: int, generation: int | str | None, source: str | None) -> Document | None:
        """The text as a document; None where it is left out."""
        if source is not None and len(source) > _LONGEST_NAME:
            self.refuse(number, f": a source must have at most {_LONGEST_NAME} characters, got {source!r:.40}...")
            return None
        return Document(text, f"{self.what} {number}", generation, source)


def _decoder(how: Format) -> msgspec.json.Decoder[Any]:
    fields: list[Any] = [
        ("text", str, msgspec.field(name=how.text_field)),
        ("generation", int | str | None, msgspec.field(name=how.generation_field, default=None)),
        ("source", str | None, msgspec.field(name=how.source_field, default=None)),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Record", fields))


def _is_json_lines(line: bytes, path: str, decoder: msgspec.json.Decoder[Any]) -> bool:
    if is_named_json(path):
        return True
    if not line.startswith(b"{"):
        return False
    try:
        decoder.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _items(first: tuple[int, int, bytes], reader: _Lines) -> Iterator[tuple[int, int, bytes]]:
    """The items of a JSON list as if each were a line: a string as the object that holds it, at the string's bytes."""
    held, size = [], 0
    for _, _, line in _with_first(first, reader):
        held.append(line)
        size += len(line)
        if size > LONGEST_LINE:
            raise LimitError(
                f"{reader.file.path!r}: a JSON list is read whole, and this is longer than {LONGEST_LINE} bytes; "
                "write one JSON object a line"
            )
    reader.what = "item"
    name = b"{%s: " % json.dumps(reader.how.text_field).encode()
    for number, (place, item) in enumerate(items(b"".join(held), reader.file.path), start=1):
        offset = first[1] + place
        yield (number, offset - len(name), name + item + b"}") if item.startswith(b'"') else (number, offset, item)


def _records(
    lines: Iterator[tuple[int, int, bytes]], reader: _Lines, decoder: msgspec.json.Decoder[Any]
) -> Iterator[Document]:
    names = [json.dumps(name).encode() for name in (reader.how.text_field, reader.how.generation_field)]
    for number, offset, line in lines:
        if not line.strip(_BLANK):
            continue
        try:
            line.decode()
            record = decoder.decode(line)
            if any(line.count(name) > 1 for name in names) or b"\\u" in line:
                json.loads(line, object_pairs_hook=_once)
        except UnicodeDecodeError:
            mended = reader.text(number, offset, line)
            if mended is None:
                continue
            try:
                record = decoder.decode(mended)
            except (msgspec.MsgspecError, RecursionError) as error:
                reader.refuse(number, f": not a JSON object with text: {why(line, error)}")
                continue
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            or_string = " or a string" if reader.what == "item" else ""
            rule = f'each {reader.what} must be a JSON object {{"{reader.how.text_field}": "..."}}{or_string}'
            reader.refuse(number, f": {rule}: {why(line, error)}")
            continue
        text = reader.whole(number, record.text)
        document = None if text is None else reader.document(text, number, record.generation, record.source)
        if document is not None:
            yield document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; raises ValueError where a key comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"the key {twice!r} comes twice")
    return found


def _with_first(first: tuple[int, int, bytes], rest: _Lines) -> Iterator[tuple[int, int, bytes]]:
    yield first
    yield from rest


def _paragraphs(first: tuple[int, int, bytes], reader: _Lines) -> Iterator[Document]:
    """Blocks of lines between blank ones; one with a line that is left out is left out whole."""
    held: list[str] = []
    begin, broken = 1, False
    for number, offset, line in _with_first(first, reader):
        if line.strip(_BLANK):
            if not held:
                begin = number
            text = None if broken else reader.text(number, offset, line)
            broken = text is None
            held.append(text or "")
        elif held:
            if not broken:
                yield Document("".join(held).rstrip("\r\n"), f"line {begin}")
            held, broken = [], False
    if held and not broken:
        yield Document("".join(held).rstrip("\r\n"), f"line {begin}")
