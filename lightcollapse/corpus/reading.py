"""Reading text: plain, JSON lines or a JSON list, packed or not; strict UTF-8. Errors name file, line and byte."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import lzma
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lightcollapse.corpus.lists import is_list, is_named_json, items, why
from lightcollapse.errors import DataError, LimitError

EMBEDDED = "pydoc_data.topics"
MAX_BYTES = 2**30  # of decompressed text: counts are 32-bit, and a small file can hide a huge one

_FEW_DOCUMENTS = 10  # fewer natural documents than this are cut into runs, or no share could be held out
_RUNS = 20
_LONGEST_WORD = 40
_BLANK = " \t\r\n"
_FIRST_LINE = re.compile(r"[^ \t\r\n][^\n]*")
_PARAGRAPH_END = re.compile(r"\n(?:[ \t\r]*\n)+")


@dataclass(frozen=True)
class Corpus:
    """Human text as documents.

    Attributes:
        name: the file's name, without its directory, or the embedded corpus.
        sha256: of the file's raw bytes.
        documents: the text of each; for plain text they join up to the whole.
    """

    name: str
    sha256: str
    documents: tuple[str, ...]


class _Record(msgspec.Struct):
    text: str


_RECORD = msgspec.json.Decoder(_Record)


def read(path: str | None) -> Corpus:
    """The corpus in a file, or the embedded one for None; kept in this process while the file does not change.

    Raises DataError where it is missing, empty, a directory, unreadable, or not UTF-8 text.
    """
    if path is None:
        return _embedded()
    stamp = stat(path)
    return _read(path, stamp.st_mtime_ns, stamp.st_size)


def stat(path: str) -> os.stat_result:
    """The file's status; raises DataError where there is no such file or it is a directory."""
    try:
        stamp = os.stat(path)
    except FileNotFoundError:
        raise DataError(f"no such file: {path!r}; give the path of a text file, .json, .jsonl, .gz or .xz") from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path!r}: {getattr(error, 'strerror', None) or error}") from None
    if Path(path).is_dir():
        raise DataError(f"{path!r} is a directory; give the path of one text file")
    return stamp


@functools.cache
def _embedded() -> Corpus:
    from pydoc_data.topics import topics

    documents = tuple(topics[name] for name in sorted(topics))
    return Corpus(EMBEDDED, hashlib.sha256("".join(documents).encode()).hexdigest(), documents)


@functools.lru_cache(maxsize=4)
def _read(path: str, modified: int, size: int) -> Corpus:
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path!r}: {error.strerror or error}") from None
    text = decode(decompress(raw, path), path)
    documents = _texts(text, path)
    documents = tuple(document for document in documents if document)
    if not "".join(documents).strip():
        raise DataError(f"{path!r} is empty: no text in it")
    if len(documents) < _FEW_DOCUMENTS:
        documents = equal_runs("".join(documents))
    return Corpus(Path(path).name, hashlib.sha256(raw).hexdigest(), documents)


def decompress(raw: bytes, path: str) -> bytes:
    """The bytes themselves, or what .gz or .xz data hold, told by their first bytes."""
    try:
        with _open(raw) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"cannot decompress {path!r}: {error}") from None
    if len(data) > MAX_BYTES:
        raise LimitError(f"{path!r} holds more than {MAX_BYTES} bytes of text; give a part of it")
    return data


def _open(raw: bytes) -> io.BufferedIOBase:
    stream = io.BytesIO(raw)
    if raw[:2] == b"\x1f\x8b":
        return gzip.open(stream)
    if raw[:6] == b"\xfd7zXZ\x00":
        return lzma.open(stream)
    return stream


def decode(data: bytes, path: str) -> str:
    """Strict UTF-8 without a byte order mark; raises DataError with line and byte, both of the decompressed text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path!r}, line 1, byte 0: this is UTF-16; save it as UTF-8")
    nul = data.find(b"\x00")
    if nul >= 0:
        raise DataError(f"{path!r}, {_place(data, nul)}: a NUL byte; text has none: is this UTF-16 or a binary file?")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path!r}, {_place(data, error.start)}: invalid UTF-8 ({error.reason}, 0x{data[error.start]:02x}); "
            "convert the file to UTF-8"
        ) from None


def _place(data: bytes, offset: int) -> str:
    line = data.count(b"\n", 0, offset) + 1
    return f"line {line}, byte {offset}"


def _texts(text: str, path: str) -> tuple[str, ...]:
    """The documents of a JSON list, of JSON lines or of prose."""
    found = _FIRST_LINE.search(text)
    first = found.group().encode() if found else b""
    if is_list(first, path, _RECORD):
        listed = ((b'{"text": %s}' % item if item.startswith(b'"') else item) for _, item in items(text.encode(), path))
        return tuple(_record(item, "item", number, path) for number, item in enumerate(listed, start=1))
    if not is_named_json(path) and not _is_record(first):
        return paragraphs(text)
    lines = enumerate(text.split("\n"), start=1)
    return tuple(_record(line.encode(), "line", number, path) for number, line in lines if line.strip(_BLANK))


def _is_record(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and _RECORD.decode(line) is not None
    except (msgspec.MsgspecError, RecursionError):
        return False


def _record(data: bytes, what: str, number: int, path: str) -> str:
    """The text of a record. Raises DataError where it is none."""
    try:
        text = _RECORD.decode(data).text
    except (msgspec.MsgspecError, RecursionError) as error:
        or_string = " or a string" if what == "item" else ""
        raise DataError(
            f'{path!r}, {what} {number}: each {what} must be a JSON object {{"text": "..."}}{or_string}: '
            f"{why(data, error)}"
        ) from None
    if "\x00" in text:
        raise DataError(f"{path!r}, {what} {number}: a NUL character in the text")
    return text


def paragraphs(text: str) -> tuple[str, ...]:
    """The paragraphs, each with the blank lines after it: joined, they are the text."""
    ends = [match.end() for match in _PARAGRAPH_END.finditer(text)]
    return tuple(text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True) if begin < end)


def equal_runs(text: str) -> tuple[str, ...]:
    """About twenty runs of equal length, cut after a word where one ends nearby: joined, they are the text."""
    cuts = [0]
    for i in range(1, _RUNS):
        cut = len(text) * i // _RUNS
        limit = min(len(text), cut + _LONGEST_WORD)
        end = cut
        while 0 < end < limit and text[end - 1].isalnum() and text[end].isalnum():
            end += 1
        cuts.append(max(cuts[-1], end if end < limit else cut))
    return tuple(text[begin:end] for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True) if begin < end)
